// The options of the commands for catalogues: photoz, separate, cluster.
#include "options.hpp"

#include "cluster.hpp"
#include "photoz.hpp"
#include "separator.hpp"

namespace tool {

namespace {

Command make_photoz(CLI::App& parent) {
  auto add = [](CLI::App* app, PhotozOptions& o) {
    add_photometry(app, o.photometry);
    app->add_option("--out", o.out, "catalogue to write: .fits or .csv")->required();
    app->add_option("--pdf", o.pdf, "FITS file for P(z) of each row");
    app->add_option("--report", o.report, "HTML page with scores, cuts and plots");
    app->add_option("--templates", o.templates, "jades, larson, fsps, eazy, or folders of *.sed, *.dat")
        ->delimiter(',')
        ->capture_default_str();
    app->add_option("--dust", o.dust, "A_V that each template is taken with: 0,1,2")
        ->delimiter(',')
        ->check(CLI::Range(0.0, 10.0))
        ->capture_default_str();
    app->add_option("--z-min", o.least_z, "least redshift")->check(CLI::Range(0.0, 25.0))->capture_default_str();
    app->add_option("--z-max", o.most_z, "largest redshift")->check(CLI::Range(0.0, 25.0))->capture_default_str();
    app->add_option("--z-step", o.step, "of ln(1 + z), a multiple of 0.002")
        ->check(CLI::Range(0.002, 0.5))
        ->capture_default_str();
    app->add_option("--template-error", o.template_error, "relative, in all bands")
        ->check(CLI::Range(0.0, 10.0))
        ->capture_default_str();
    app->add_option("--error-curve", o.error_curve,
                    "relative error over rest wavelength, two columns, added in squares: TEMPLATE_ERROR.eazy_v1.0");
    app->add_option("--error-scale", o.error_scale, "of that curve")
        ->check(CLI::Range(0.0, 10.0))
        ->capture_default_str();
    app->add_option("--prior", o.prior, "p(z) for each magnitude, as EAZY has it: prior_F160W_TAO.dat; default: flat");
    app->add_option("--prior-band", o.prior_band, "band of the catalogue whose magnitudes these are; mind --unit");
    app->add_option("--dwarfs", o.dwarfs, "CSV of brown-dwarf models, a column for each band; none: no comparison");
    app->add_flag("--cuts", o.cuts, "apply the quality cuts (docs/photoz.md) and count what each takes");
    app->add_option("--least-size", o.least_size, "radius that a real source has at least, in the unit of its column");
    app->add_option("--bimodal", o.bimodal, "share of the first mode's probability that makes a second one count")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    add_common(app, o);
  };
  return make<PhotozOptions>(
      parent, "photoz", "photometric redshifts with P(z), quality cuts, and chi2 against brown dwarfs", photoz, add,
      {"photoz --catalog jades.fits --aperture CIRC2 --out z.fits --cuts --report z.html",
       "photoz --catalog hdfn_fs99_eazy.cat --passbands docs/passbands/hdfn.csv --templates eazy --out z.fits"});
}

Command make_separate(CLI::App& parent) {
  auto add = [](CLI::App* app, SeparateOptions& o) {
    add_photometry(app, o.photometry);
    app->add_option("--weights", o.weights, "a separator of d16 train separator")->required();
    app->add_option("--out", o.out, "catalogue to write: .fits or .csv")->required();
    app->add_option("--prior", o.prior, "frequencies of the classes, in their order; default: equal")->delimiter(',');
    app->add_option("--compact", o.compact, "F(0.32 arcsec) / F(0.16 arcsec) below which a source is called compact")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    add_common(app, o);
  };
  return make<SeparateOptions>(parent, "separate", "stars, brown dwarfs and galaxies by their colours", separate, add,
                               {"separate --catalog jades.fits --weights separator.json --out classes.fits"});
}

Command make_cluster(CLI::App& parent) {
  auto add = [](CLI::App* app, ClusterOptions& o) {
    add_photometry(app, o.photometry);
    app->add_option("--out", o.out, "folder for catalog.fits, report.html and the maps as PNG")->required();
    app->add_option("--features", o.features, "magnitudes, size, colours")
        ->delimiter(',')
        ->check(CLI::IsMember({"magnitudes", "size", "colours"}))
        ->capture_default_str();
    app->add_option("--columns", o.columns, "columns of the catalogue to cluster in place of its photometry")
        ->delimiter(',');
    app->add_option("--min-snr", o.min_snr, "leave out rows whose bands together have less")
        ->check(CLI::NonNegativeNumber);
    app->add_flag("--sound", o.sound, "only rows that pass the cuts of d16 photoz --cuts");
    app->add_option("--limit", o.limit, "use so many rows, evenly spread; 0: all")->check(CLI::NonNegativeNumber);
    app->add_option("--perplexity", o.perplexity, "of t-SNE: neighbours that count, about")
        ->check(CLI::Range(2.0, 1000.0))
        ->capture_default_str();
    app->add_option("--iterations", o.iterations, "of t-SNE after the first 250")
        ->check(CLI::Range(50, 100000))
        ->capture_default_str();
    app->add_option("--min-cluster", o.min_cluster, "rows of the smallest cluster; 0: a hundredth of all, 10 at least")
        ->check(CLI::NonNegativeNumber);
    app->add_option("--trees", o.trees, "of the forests")->check(CLI::Range(10, 10000))->capture_default_str();
    app->add_option("--z-edges", o.z_edges, "between the bins of redshift that are scored")
        ->delimiter(',')
        ->capture_default_str();
    app->add_option("--label", o.label, "column of labels to classify, five-fold");
    app->add_option("--positive", o.positive, "the label that is looked for")->capture_default_str();
    app->add_option("--negative", o.negatives, "labels it is told from; default: all others")->delimiter(',');
    app->add_option("--confident", o.confident, "column that marks labels as certain (true, 1)");
    app->add_option("--join", o.join.table, "CSV with more columns for the same --key");
    app->add_option("--key", o.join.key, "column that both tables have");
    app->add_option("--match", o.join.match, "CSV with ra and dec: columns of the nearest place");
    app->add_option("--within", o.join.within, "arcsec, for --match")
        ->check(CLI::Range(0.001, 60.0))
        ->capture_default_str();
    app->add_option("--where", o.join.where, "COLUMN=VALUE: rows of --match that may be partners");
    add_common(app, o, Devices::all);
  };
  return make<ClusterOptions>(
      parent, "cluster", "t-SNE, HDBSCAN and forests on magnitudes, radii and colours, or on any columns", cluster, add,
      {"cluster --catalog z.fits --out clusters --redshift z_a",
       "cluster --catalog morphology.csv --columns C1,C2,A0,S3,G,M20 --label class --positive disk --out clusters"});
}

}  // namespace

std::vector<Command> make_catalog(CLI::App& parent) {
  return {make_photoz(parent), make_separate(parent), make_cluster(parent)};
}

}  // namespace tool
