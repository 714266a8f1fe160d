// A simulated survey in seven bands with a known truth: low-z and high-z galaxies, brown dwarfs, little red dots.
// Simulated: the numbers that come out are about the simulation, not about the sky.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "../core/random.hpp"
#include "../core/tensor.hpp"
#include "../vision/image.hpp"
#include "../vision/photometry.hpp"
#include "brown_dwarfs.hpp"
#include "drizzle_noise.hpp"
#include "sed.hpp"
#include "survey_galaxy.hpp"
#include "survey_psf.hpp"
#include "survey_truth.hpp"

namespace d16::sim {

/// What a survey is made from; read_survey_data() of survey_files.hpp reads it from files.
struct SurveyData {
  std::vector<Curve> filters = {};          ///< one for each of survey_bands
  std::vector<TemplateSet> templates = {};  ///< two sets or more: one is held out
  Curve little_red_dot = {};                ///< the spectrum of one
  std::vector<DwarfModel> dwarfs = {};      ///< two libraries or more
  std::vector<PsfSet> psfs = {};            ///< two sets or more
};

/// One object as the survey sees it.
struct SurveyObject {
  Tensor image;                                        ///< (64,64,7) float32, nJy per pixel; noise can make it negative
  std::array<float, size_t(survey_band_count)> error;  ///< standard deviation of a dark pixel in each band, nJy
  SurveyTruth truth;
};

/// AB magnitude of a flux in nJy, and back.
inline double ab_magnitude(double njy) { return 31.4 - 2.5 * std::log10(njy); }
inline double njy_of(double magnitude) { return std::pow(10, (31.4 - magnitude) / 2.5); }

/// The survey. Object number `index` of a split follows from (seed, split, index) alone: not from the order, nor from
/// the threads. All methods are const and may be called from many threads at once.
///   Survey survey(read_survey_data("../shared/data"), {.threshold = 6.5});
///   SurveyObject o = survey.object(Split::train, 7);
class Survey {
 public:
  /// Cost     about half a second: templates and PSFs are put on their grids.
  /// Errors   ValueError: options out of range, a held-out name that the data do not have, nothing left to train on.
  explicit Survey(SurveyData const& data, SurveyOptions const& o = {})
      : o_(o), templates_(data.filters, sets_of(data)), noise_(o.noise_correlation) {
    check_options();
    common_ = pool_of(data, [&](std::string const& name) { return name != o.heldout_templates; });
    heldout_ = pool_of(data, [&](std::string const& name) { return name == o.heldout_templates; });
    require<ValueError>(!common_.all.empty() && !heldout_.all.empty(), "Survey: templates \"", o.heldout_templates,
                        "\" are to be held out; the data need that set and another one");
    red_dot_ = templates_.range(red_dot_set).first;
    add_dwarfs(data);
    for (PsfSet const& set : data.psfs) {
      optics_.push_back(std::make_unique<Optics>(set));
      response_.push_back(aperture_response(set.psf[f444w]));
    }
    for (size_t i = 0; i < optics_.size(); ++i)
      (data.psfs[i].name == o.heldout_psf ? heldout_psf_ : common_psf_).push_back(i);
    require<ValueError>(heldout_psf_.size() == 1 && !common_psf_.empty(), "Survey: the PSFs \"", o.heldout_psf,
                        "\" are to be held out; the data need that set and another one");
    set_noise(data.psfs[common_psf_[0]]);
  }

  SurveyOptions const& options() const { return o_; }
  Templates const& templates() const { return templates_; }
  /// Standard deviation of a dark pixel of each band, nJy.
  Fluxes const& sigma() const { return sigma_; }
  /// The PSF sets that a split draws from.
  std::vector<std::string> psf_names(Split split) const {
    std::vector<std::string> names;
    for (size_t i : psfs_of(split)) names.push_back(optics_[i]->name());
    return names;
  }

  /// The class of an object: fixed by the set of the survey.
  SurveyClass class_of(int64_t index) const {
    if (o_.set == SurveySet::balanced) return SurveyClass(index % 3);
    if (o_.set == SurveySet::bimodal) return index % 2 ? SurveyClass::low_z : SurveyClass::high_z;
    if (o_.set != SurveySet::poster) return SurveyClass(index % 2);
    int64_t mixed = index % poster_size * 619 % poster_size;  // 619 has no factor in common with 1455
    return mixed < 722 ? SurveyClass::low_z : mixed < 1444 ? SurveyClass::high_z : SurveyClass::brown_dwarf;
  }
  static constexpr int64_t poster_size = 722 + 722 + 11;

  /// All that is known of an object, without its image.    Cost   some 0.2 ms.
  /// Errors   ValueError unless 0 <= index < 2^48.
  SurveyTruth truth(Split split, int64_t index) const { return draw(split, index).truth; }

  /// The object with its cutout.    Cost   about a millisecond on one core.    Deterministic  yes.
  SurveyObject object(Split split, int64_t index) const {
    SurveyObject out{empty({cutout_side, cutout_side, survey_band_count}, vision::host_tensor()), {}, {}};
    out.truth = render(split, index, out.image.data<float>());
    out.error = error_of(out.truth);
    return out;
  }
  /// The same into memory of the caller: 64 x 64 x 7 floats. Returns the truth.
  SurveyTruth render(Split split, int64_t index, float* image) const {
    SurveyTruth t = truth(split, index);
    observe(t, image);
    Random random = stream(split, index, Purpose::noise);
    std::array<float, size_t(survey_band_count)> sigma = error_of(t);
    for (int b = 0; b < survey_band_count; ++b) {
      if (t.flags & survey_background) add_background(t, double(sigma[size_t(b)]), image + b);
      noise_.add(image + b, cutout_side, cutout_side, survey_band_count, double(sigma[size_t(b)]), o_.photons, random);
    }
    return t;
  }
  /// The object and its neighbour through the telescope, without noise and background: 64 x 64 x 7, nJy per pixel.
  void observe(SurveyTruth const& t, float* image) const {
    static thread_local Scene scene;
    static thread_local Optics::Planes planes[2];
    std::vector<Optics::Source> sources;
    scene.clear();
    add_shape(scene, t.shape, 1 - t.centre_fraction);
    if (t.centre_fraction > 0) add_shape(scene, {t.shape.x0, t.shape.y0}, t.centre_fraction);
    Optics::transform(scene, planes[0]);
    sources.push_back({&planes[0], t.flux});
    if (t.flags & survey_neighbour) {
      scene.clear();
      add_shape(scene, t.neighbour, 1);
      Optics::transform(scene, planes[1]);
      sources.push_back({&planes[1], t.neighbour_flux});
    }
    auto named = [&](auto const& optics) { return optics->name() == t.psf; };
    (*std::find_if(optics_.begin(), optics_.end(), named))->observe(sources, image);
  }
  /// Standard deviation of a dark pixel of this object's cutout in each band, nJy.
  std::array<float, size_t(survey_band_count)> error_of(SurveyTruth const& t) const {
    std::array<float, size_t(survey_band_count)> out{};
    for (size_t b = 0; b < out.size(); ++b) out[b] = float(sigma_[b] * t.noise_factor);
    return out;
  }
  /// The noiseless spectrum of a galaxy, scaled to its fluxes: f_nu in nJy over Angstrom. Empty for a brown dwarf, of
  /// which only the photometry is known.
  Curve spectrum(Split split, int64_t index) const {
    Drawn d = draw(split, index);
    if (d.truth.label == SurveyClass::brown_dwarf) return {};
    Curve curve = templates_.spectrum(d.mixture);
    double unit = d.truth.flux[f444w] / templates_.fluxes(d.mixture)[f444w];
    for (double& v : curve.value) v *= unit * d.spectrum_unit;
    return curve;
  }

  /// Flux of a source inside 0.15 arcsec around (x0, y0), corrected to the whole of a point's, and its error (of the
  /// dark sky): aperture photometry of a cutout. And its size in F444W: the radius with half of the light within 0.3
  /// arcsec, and F(0.32") / F(0.16"); both not corrected for the PSF, NaN where there is no light.
  struct Photometry {
    Fluxes flux{}, error{};
    double half_light = 0, compactness = 0;  ///< arcsec; ratio
  };
  Photometry measure(float const* image, SurveyTruth const& t) const {
    std::vector<double> weight =
        aperture_weights(cutout_side, cutout_side, t.shape.x0, t.shape.y0, aperture / cutout_pixel);
    Photometry out;
    for (size_t k = 0; k < weight.size(); ++k)
      for (size_t b = 0; weight[k] > 0 && b < out.flux.size(); ++b)
        out.flux[b] += weight[k] * double(image[k * out.flux.size() + b]);
    for (size_t b = 0; b < out.flux.size(); ++b) {
      out.flux[b] /= encircled_[b];
      out.error[b] = njy_of(o_.depth[b]) / 5 * t.noise_factor;
    }
    Tensor plane = empty({cutout_side, cutout_side}, vision::host_tensor());
    for (int64_t k = 0; k < plane.numel(); ++k) plane.data<float>()[k] = image[k * survey_band_count + f444w];
    out.half_light = cutout_pixel * vision::light_radius(plane, t.shape.x0, t.shape.y0, 0.3 / cutout_pixel);
    out.compactness = vision::compactness(plane, t.shape.x0, t.shape.y0, cutout_pixel);
    return out;
  }
  static constexpr double aperture = 0.15;  ///< arcsec

 private:
  static constexpr char const* red_dot_set = "little_red_dot";
  enum class Purpose { object, shared, noise };

  /// Members of the templates that a split may use.
  struct Pool {
    std::vector<std::pair<std::string, std::vector<int>>> sets;
    std::vector<int> all;
  };
  struct Drawn {
    SurveyTruth truth;
    Mixture mixture;
    size_t psf = 0;
    double spectrum_unit = 1;
  };

  static std::vector<TemplateSet> sets_of(SurveyData const& data) {
    require<ValueError>(data.little_red_dot.wavelength.size() > 1, "Survey: no spectrum of a little red dot is given");
    std::vector<TemplateSet> sets = data.templates;
    sets.push_back({red_dot_set, {data.little_red_dot}});
    return sets;
  }
  void check_options() const {
    auto share = [](double p) { return p >= 0 && p <= 1; };
    require<ValueError>(o_.least_z > 0 && o_.least_z < o_.threshold && o_.threshold < o_.most_z && o_.most_z <= 25,
                        "Survey: redshifts ", o_.least_z, " to ", o_.most_z, " with the threshold ", o_.threshold,
                        "; rising numbers from above 0 to 25 are needed");
    require<ValueError>(o_.low_z_scale > 0 && o_.high_z_scale > 0 && o_.dust_scale >= 0 && o_.most_dust >= 0 &&
                            o_.igm_scatter >= 0 && o_.template_error >= 0 && o_.size_scatter >= 0 && o_.photons > 0 &&
                            o_.median_size > 0 && o_.counts_slope != 0,
                        "Survey: a scale, a scatter or a size is negative or zero; see SurveyOptions");
    require<ValueError>(share(o_.red_dot_fraction) && share(o_.compact_fraction) && share(o_.neighbour_probability),
                        "Survey: red_dot_fraction ", o_.red_dot_fraction, ", compact_fraction ", o_.compact_fraction,
                        ", neighbour_probability ", o_.neighbour_probability, "; each lies in [0, 1]");
    require<ValueError>(o_.brightest < o_.depth[f444w], "Survey: brightest is ", o_.brightest, ", the depth of F444W ",
                        o_.depth[f444w], "; the depth must be fainter");
    require<ValueError>(o_.set != SurveySet::bimodal || lyman_alpha * (1 + o_.threshold) > balmer * (1 + o_.least_z),
                        "Survey: a bimodal set needs a threshold above ", balmer / lyman_alpha * (1 + o_.least_z) - 1,
                        "; it is ", o_.threshold);
  }
  template <class Wanted> Pool pool_of(SurveyData const& data, Wanted const& wanted) const {
    Pool pool;
    for (TemplateSet const& set : data.templates) {
      if (!wanted(set.name)) continue;
      auto [begin, end] = templates_.range(set.name);
      std::vector<int> members;
      for (int i = begin; i < end; ++i) members.push_back(i), pool.all.push_back(i);
      pool.sets.push_back({set.name, std::move(members)});
    }
    return pool;
  }
  void add_dwarfs(SurveyData const& data) {
    std::vector<std::string> common;
    bool known = false;
    for (DwarfModel const& model : data.dwarfs) {
      known |= model.library == o_.heldout_library;
      bool is_new = std::count(common.begin(), common.end(), model.library) == 0;
      if (model.library != o_.heldout_library && is_new) common.push_back(model.library);
    }
    require<ValueError>(known && !common.empty(), "Survey: brown dwarfs \"", o_.heldout_library,
                        "\" are to be held out; the data need that library and another one");
    dwarfs_ = std::make_unique<BrownDwarfs>(data.dwarfs, common, o_.dwarfs);
    heldout_dwarfs_ =
        std::make_unique<BrownDwarfs>(data.dwarfs, std::vector<std::string>{o_.heldout_library}, o_.dwarfs);
  }
  /// The noise of a pixel that makes a point source of the told magnitude 5 sigma in the aperture.
  void set_noise(PsfSet const& psf) {
    std::vector<double> weight = aperture_weights(cutout_side, cutout_side, 31, 31, aperture / cutout_pixel);
    double unit = noise_.sum_sigma(weight, cutout_side, cutout_side);
    for (size_t b = 0; b < sigma_.size(); ++b) {
      encircled_[b] = psf.psf[b].encircled(aperture);
      sigma_[b] = njy_of(o_.depth[b]) / 5 * encircled_[b] / unit;
    }
  }

  static bool holds_out(Split split, Split what) { return split == Split::heldout || split == what; }
  std::vector<size_t> const& psfs_of(Split split) const {
    return holds_out(split, Split::heldout_psf) ? heldout_psf_ : common_psf_;
  }
  Random stream(Split split, int64_t index, Purpose purpose) const {
    require<ValueError>(index >= 0 && index < int64_t(1) << 48, "Survey: index is ", index,
                        "; 0 to 2^48 - 1 is needed");
    return Random(o_.seed, uint64_t(split) << 56 | uint64_t(purpose) << 48 | uint64_t(index));
  }

  Drawn draw(Split split, int64_t index) const {
    bool bimodal = o_.set == SurveySet::bimodal;
    Random shared = stream(split, bimodal ? index / 2 : index, Purpose::shared);  // what a pair has in common
    Random random = stream(split, index, Purpose::object);
    Drawn out;
    SurveyTruth& t = out.truth;
    t.id = text("sim_", name_of(split), '_', index);
    t.label = class_of(index);
    double u = shared.uniform();
    t.magnitude = magnitude_at(shared.uniform());
    t.shape = random_shape(shared);
    t.shape.x0 = (cutout_side - 1) / 2.0 + random.uniform(-1, 1);
    t.shape.y0 = (cutout_side - 1) / 2.0 + random.uniform(-1, 1);
    std::vector<size_t> const& psfs = psfs_of(split);
    out.psf = psfs[size_t(random.integer(int64_t(psfs.size())))];
    t.psf = optics_[out.psf]->name();
    if (bimodal) t.flags |= survey_bimodal, t.pair = index / 2;
    if (o_.set == SurveySet::stress) draw_stress(random, t);
    if (t.label == SurveyClass::brown_dwarf) draw_dwarf(split, random, out);
    else draw_galaxy(split, random, u, out);
    if (t.shape.r_eff < cutout_pixel) t.flags |= survey_compact;
    if (random.uniform() < o_.neighbour_probability) draw_neighbour(split, random, t);
    t.snr = 5 * njy_of(t.magnitude) / njy_of(o_.depth[f444w]) / t.noise_factor;
    return out;
  }

  /// The magnitude below which a share u of the counts lies.
  double magnitude_at(double u) const {
    double a = o_.counts_slope, low = std::pow(10, a * o_.brightest), high = std::pow(10, a * o_.depth[f444w]);
    return std::log10(low + u * (high - low)) / a;
  }
  SurveyShape random_shape(Random& random) const {
    SurveyShape s;
    bool compact = random.uniform() < o_.compact_fraction;
    double size = std::exp(std::log(o_.median_size) + o_.size_scatter * random.normal()), tiny = random.uniform();
    s.r_eff = compact ? 0.003 * std::pow(10, tiny) : std::clamp(size, cutout_pixel, 0.6);
    s.n = std::clamp(1.3 * std::exp(0.5 * random.normal()), 0.5, 5.0);
    s.q = random.uniform(0.3, 1);
    s.theta = random.uniform(0, std::numbers::pi);
    return s;
  }
  /// The redshift below which a share u of the high-z galaxies lies; those of pairs have a partner below the threshold.
  double high_z_at(double u) const {
    double paired = balmer / lyman_alpha * (1 + o_.threshold) - 1;
    double most = o_.set == SurveySet::bimodal ? std::min(o_.most_z, paired) : o_.most_z;
    double s = o_.high_z_scale, end = std::exp(-(most - o_.threshold) / s);
    return o_.threshold - s * std::log(1 - u * (1 - end));
  }
  double random_low_z(Random& random) const {
    for (;;) {
      double product = 1;
      for (int k = 0; k < 3; ++k) product *= 1 - random.uniform();
      double z = -o_.low_z_scale * std::log(product);
      if (z >= o_.least_z && z < o_.threshold) return z;
    }
  }
  /// Little red dots are known from z = 3 to 9; uniform on the side of the threshold that was asked for.
  double random_red_dot_z(Random& random, bool high) const {
    double low = high ? o_.threshold : std::min(3.0, o_.least_z + (o_.threshold - o_.least_z) / 2);
    return random.uniform(low, high ? std::max(9.0, o_.threshold + 0.5) : o_.threshold);
  }

  /// One to three of these templates with exponential weights, dust and a line of sight.
  Mixture random_mixture(Random& random, std::vector<int> const& members, double z) const {
    Mixture m{.z = z};
    size_t count = size_t(1 + random.integer(3));
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
      m.member[i] = members[size_t(random.integer(int64_t(members.size())))];
      sum += m.weight[i] = -std::log(1 - random.uniform());
    }
    for (double& w : m.weight) w /= sum;
    m.a_v = std::min(o_.most_dust, -o_.dust_scale * std::log(1 - random.uniform()));
    m.igm_factor = std::exp(o_.igm_scatter * random.normal());
    return m;
  }
  /// The members with Balmer breaks on one side of a limit; all when there is none.
  std::vector<int> by_break(std::vector<int> const& members, bool old, double limit) const {
    std::vector<int> out;
    for (int i : members)
      if ((templates_.balmer_break(i) > limit) == old) out.push_back(i);
    return out.empty() ? members : out;
  }
  double median_break(std::vector<int> const& members) const {
    std::vector<double> breaks;
    for (int i : members) breaks.push_back(templates_.balmer_break(i));
    return vision::median(std::move(breaks));
  }
  double largest_break(std::vector<int> const& members) const {
    double largest = 0;
    for (int i : members) largest = std::max(largest, templates_.balmer_break(i));
    return largest;
  }
  std::vector<int> members_at(Pool const& pool, size_t set, double z) const {
    std::vector<int> const& members = pool.sets[set].second;
    return z > o_.young_z ? by_break(members, false, o_.young_break) : members;
  }
  /// A set of templates, as often as it has members.
  static size_t random_set(Random& random, Pool const& pool) {
    int64_t k = random.integer(int64_t(pool.all.size()));
    size_t set = 0;
    while (k >= int64_t(pool.sets[set].second.size())) k -= int64_t(pool.sets[set++].second.size());
    return set;
  }

  void draw_galaxy(Split split, Random& random, double u, Drawn& out) const {
    SurveyTruth& t = out.truth;
    Pool const& pool = holds_out(split, Split::heldout_templates) ? heldout_ : common_;
    bool high = t.label == SurveyClass::high_z, mixed = o_.set == SurveySet::balanced || o_.set == SurveySet::poster;
    bool red_dot = o_.set == SurveySet::little_red_dots || (mixed && random.uniform() < o_.red_dot_fraction);
    t.z = red_dot ? random_red_dot_z(random, high) : high ? high_z_at(u) : random_low_z(random);
    if (t.flags & survey_bimodal && !high) t.z = lyman_alpha * (1 + high_z_at(u)) / balmer - 1;
    double strong = t.flags & survey_bimodal && !high ? median_break(pool.all) : 0;
    size_t set = random_set(random, pool);
    while (largest_break(pool.sets[set].second) < strong) set = random_set(random, pool);
    std::vector<int> members = members_at(pool, set, t.z);
    if (strong > 0) members = by_break(members, true, strong);
    t.source = pool.sets[set].first;
    Mixture& m = out.mixture = random_mixture(random, members, t.z);
    if (red_dot) {  // the one template, varied by the light of young stars and by dust
      t.flags |= survey_little_red_dot;
      double share = random.uniform(0, 0.3);
      std::vector<int> young = by_break(members, false, o_.young_break);
      m.member = {red_dot_, young[size_t(random.integer(int64_t(young.size())))], 0};
      m.weight = {1 - share, share, 0};
      m.a_v = random.uniform(0, 0.5);
      t.source = red_dot_set;
      t.shape.r_eff = 0.003 * std::pow(10, random.uniform());
    }
    t.a_v = m.a_v, t.igm_factor = m.igm_factor;
    t.templates = description(m);
    t.teff = t.logg = t.metallicity = t.distance_pc = std::numeric_limits<double>::quiet_NaN();
    out.spectrum_unit = scale(random, templates_.fluxes(m), out);
  }
  std::string description(Mixture const& m) const {
    std::string out;
    for (size_t i = 0; i < m.member.size(); ++i)
      if (m.weight[i] > 0)
        out += text(out.empty() ? "" : " + ", std::round(100 * m.weight[i]) / 100, ' ', templates_.name(m.member[i]));
    return out;
  }
  void draw_dwarf(Split split, Random& random, Drawn& out) const {
    SurveyTruth& t = out.truth;
    BrownDwarfs const& dwarfs = holds_out(split, Split::heldout_library) ? *heldout_dwarfs_ : *dwarfs_;
    auto [model, distance] = dwarfs.draw(random, njy_of(t.magnitude));
    t.source = model->library;
    t.teff = model->teff, t.logg = model->logg, t.metallicity = model->metallicity, t.distance_pc = distance;
    t.z = std::numeric_limits<double>::quiet_NaN();
    t.shape = {t.shape.x0, t.shape.y0};
    scale(random, model->flux, out);
  }
  /// Brings fluxes to the magnitude of the object, with the error of templates; returns the error of F444W.
  double scale(Random& random, Fluxes flux, Drawn& out) const {
    SurveyTruth& t = out.truth;
    double unscattered = flux[f444w];
    require<ValueError>(unscattered > 0, "Survey: ", t.id, " (", t.templates, ") at z = ", t.z,
                        " has no light in F444W");
    for (double& f : flux) f *= std::exp(o_.template_error * random.normal());
    double total = njy_of(t.magnitude) * encircled_[f444w] / aperture_share(t, out.psf);
    for (size_t b = 0; b < flux.size(); ++b) t.flux[b] = flux[b] * total / flux[f444w];
    return unscattered / flux[f444w];
  }
  /// The share of the object's light in F444W that falls into the aperture.
  double aperture_share(SurveyTruth const& t, size_t psf) const {
    static thread_local Scene scene;
    scene.clear();
    double middle = (cutout_side - 1) / 2.0, sum = 0;
    SurveyShape shape = t.shape;
    shape.x0 = shape.y0 = middle;
    add_shape(scene, shape, 1 - t.centre_fraction);
    if (t.centre_fraction > 0) add_shape(scene, {middle, middle}, t.centre_fraction);
    for (int k = 0; k < scene_side * scene_side; ++k)
      sum += double(scene.at(k / scene_side, k % scene_side)) * double(response_[psf][size_t(k)]);
    return sum;
  }
  /// The share of light from each place of a scene that falls into the aperture at its middle.
  static std::vector<float> aperture_response(Psf const& psf) {
    constexpr double middle = (cutout_side - 1) / 2.0;
    std::vector<double> weight = aperture_weights(cutout_side, cutout_side, middle, middle, aperture / cutout_pixel);
    std::vector<float> out(size_t(scene_side * scene_side));
    for (int k = 0; k < scene_side * scene_side; ++k) {
      double x = (k % scene_side - 0.5) / 2, y = (k / scene_side - 0.5) / 2, sum = 0;
      for (int pixel = 0; pixel < cutout_side * cutout_side; ++pixel)
        if (double w = weight[size_t(pixel)]; w > 0)
          sum += w * psf.density((pixel % cutout_side - x) * cutout_pixel, (pixel / cutout_side - y) * cutout_pixel);
      out[size_t(k)] = float(sum * cutout_pixel * cutout_pixel);
    }
    return out;
  }

  /// A low-z galaxy a tenth to three times as bright, 0.4 to 0.9 arcsec away.
  void draw_neighbour(Split split, Random& random, SurveyTruth& t) const {
    Pool const& pool = holds_out(split, Split::heldout_templates) ? heldout_ : common_;
    double z = random_low_z(random);
    Fluxes flux = templates_.fluxes(random_mixture(random, members_at(pool, random_set(random, pool), z), z));
    double unit = njy_of(t.magnitude) * std::pow(10, random.uniform(-1, 0.5)) / flux[f444w];
    for (size_t b = 0; b < flux.size(); ++b) t.neighbour_flux[b] = flux[b] * unit;
    double distance = random.uniform(0.4, 0.9) / cutout_pixel, angle = random.uniform(0, 2 * std::numbers::pi);
    t.neighbour = random_shape(random);
    t.neighbour.x0 = t.shape.x0 + distance * std::cos(angle);
    t.neighbour.y0 = t.shape.y0 + distance * std::sin(angle);
    t.flags |= survey_neighbour;
  }
  /// Two magnitudes brighter than other objects, as galaxies with bright centres are.
  static void draw_stress(Random& random, SurveyTruth& t) {
    t.magnitude -= 2;
    t.centre_fraction = random.uniform(0.3, 0.8);
    t.noise_factor = random.uniform(1.5, 3);
    t.background = random.uniform(0, 3), t.slope_x = random.uniform(-2, 2), t.slope_y = random.uniform(-2, 2);
    t.flags |= survey_bright_centre | survey_background;
  }

  static void add_shape(Scene& scene, SurveyShape const& s, double flux) {
    double x = 2 * s.x0 + 0.5, y = 2 * s.y0 + 0.5;
    if (s.r_eff > 0) add_sersic(scene, {1, 2 * s.r_eff / cutout_pixel, s.n, s.q, s.theta, x, y}, flux);
    else scene.add_point(x, y, flux);
  }
  static void add_background(SurveyTruth const& t, double sigma, float* image) {
    for (int k = 0; k < cutout_side * cutout_side; ++k) {
      double x = double(k % cutout_side) / (cutout_side - 1) - 0.5,
             y = double(k / cutout_side) / (cutout_side - 1) - 0.5;
      image[k * survey_band_count] += float(sigma * (t.background + t.slope_x * x + t.slope_y * y));
    }
  }

  static constexpr double balmer = 3646;  // Angstrom: the limit of the series

  SurveyOptions o_;
  Templates templates_;
  DrizzleNoise noise_;
  Pool common_, heldout_;
  int red_dot_ = 0;
  std::unique_ptr<BrownDwarfs> dwarfs_, heldout_dwarfs_;
  std::vector<std::unique_ptr<Optics>> optics_;
  std::vector<std::vector<float>> response_;
  std::vector<size_t> common_psf_, heldout_psf_;
  Fluxes sigma_{}, encircled_{};
};

}  // namespace d16::sim
