// What commands share of their options: bodies of options.hpp.
#include "options.hpp"

#include "photometry.hpp"

namespace tool {

void add_common(CLI::App* app, Common& o, Devices devices) {
  app->add_option("--seed", o.seed, "start of all random numbers")->capture_default_str();
  app->add_option("--threads", o.threads, "threads; 0: one for each core. Results do not depend on it")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  std::vector<std::string> names{"cpu", "reference"};
  std::string what = "cpu (fast) or reference (plain loops in double)";
  if (devices == Devices::all) {
    names.insert(names.end(), {"cuda", "cuda_emulated"});
    what += ", cuda (a GPU) or cuda_emulated (its kernels on the cpu: slow)";
  }
  app->add_option("--device", o.device, what)->check(CLI::IsMember(names))->capture_default_str();
  app->add_flag("--profile", o.profile, "print how often each op ran and how long it took");
  app->add_flag("--json", o.json, "print the answer as one JSON object and nothing else");
}

void add_input(CLI::App* app, InputOptions& o) {
  app->add_option(
         "--input", o.input,
         "a FITS, PNG or JPEG file; a folder of them; or a folder with BAND_sci.fits files (and _err, _mask), in it "
         "or in one sub-folder for each object")
      ->required();
  app->add_option("--bands", o.bands,
                  "three bands for red, green and blue, or one: F444W,F277W,F150W. Default: chosen by "
                  "wavelength from what is there")
      ->delimiter(',')
      ->expected(1, 3);
  app->add_option("--zoom", o.zoom, "enlarges (above 1) or shrinks the galaxy in its frame")
      ->check(CLI::Range(0.1, 10.0))
      ->capture_default_str();
  add_common(app, o, Devices::all);
}

void add_photometry(CLI::App* app, PhotometryOptions& o) {
  app->add_option("--catalog", o.catalog, "FITS, CSV or blank-separated table with fluxes and errors in bands")
      ->required();
  app->add_option("--bands", o.bands,
                  "of the catalogue to use: F115W,F150W ...; default: all that there are filters for")
      ->delimiter(',');
  app->add_option("--unit", o.unit, "of the fluxes, whatever the file says: nJy, \"10 nJy\", uJy ...");
  app->add_option("--aperture", o.aperture, "of columns such as F444W_CIRC1: CIRC1, CIRC2, KRON ...");
  app->add_option("--data", o.data, "folder with filter curves, templates and models")->capture_default_str();
  app->add_option("--filters", o.filters, "filter curves in EAZY's format; default: those of NIRCam in --data");
  app->add_option("--passbands", o.passbands,
                  "CSV band,pivot,width in Angstrom: filters approximated as top hats, and said to be");
  app->add_option("--redshift", o.redshift, "column of true redshifts to judge by; default: z_spec or TRUE_Z if there");
  app->add_option("--size", o.size, "column of radii; default: flux_radius, F444W_RHALF, half_light if there");
}

std::string examples(std::initializer_list<char const*> lines) {
  std::string out = "Examples:";
  for (char const* line : lines) out += std::string("\n  d16 ") + line;
  return out;
}

}  // namespace tool
