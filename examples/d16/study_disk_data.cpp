// Parts of d16 study disk: bodies of study_disk_data.hpp.
#include "study_disk_data.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <d16/core/parallel.hpp>
#include <d16/data/image_folder.hpp>
#include <d16/io/jpeg.hpp>
#include <d16/io/png.hpp>
#include <d16/io/safetensors.hpp>
#include <d16/ops/concat.hpp>
#include <d16/sim/field.hpp>
#include <d16/vision/augment.hpp>
#include <d16/vision/filter.hpp>
#include <d16/vision/statistics.hpp>

#include "corner_noise.hpp"
#include "cutout.hpp"
#include "training.hpp"

namespace tool {

using d16::DType;
using d16::FileError;
using d16::Random;
using d16::require;
using d16::Tensor;
using d16::text;
namespace data = d16::data;
namespace fs = std::filesystem;
namespace io = d16::io;
namespace sim = d16::sim;
namespace vision = d16::vision;

namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();
constexpr int64_t wide = 140;  // with the surroundings that small and turned pictures need, nearly all there is
constexpr double framed = 8;   // R_e of the galaxies in the frames, in pixels: in the survey's it is 5.5 to 10, mostly
constexpr double trails = 0.08;  // how many have a satellite trail
constexpr double usual_snr = 15, usual_size = 1.5;
constexpr int64_t null_count = 150;

sim::AppearanceOptions appearance_options() {
  return {.size = disk_side, .softness = picture_softness, .stretch = denoiser_stretch};
}
/// As cutouts are that galaxies of this size should fill: the same for all galaxies of a level, so that neither the grain
/// of the noise nor the PSF tells them apart.
sim::Appearance in_frame(sim::Appearance a) {
  a.enlarge = std::max(1.0, framed / (a.re_over_fwhm * a.fwhm));
  return a;
}
sim::Appearance look(double snr, double size) {
  return in_frame({.snr = snr,
                   .re_over_fwhm = size,
                   .correlation = 0.45,  // as in drizzled images of JWST
                   .contaminants = sim::Scheme::all,
                   .trail = trails});
}
sim::Appearance any_look(Random& random) {
  sim::Appearance a = sim::draw_appearance(random, {.least_snr = 3,
                                                    .most_snr = 100,
                                                    .least_re_over_fwhm = 0.6,
                                                    .most_re_over_fwhm = 4,
                                                    .contaminants = sim::Scheme::all});
  a.trail = trails;
  return in_frame(a);
}
/// As the picture is; a denoiser sees it all the same.
sim::Appearance clean_look() { return {.snr = unlimited, .fwhm = 0}; }

/// What a part is made from.
struct Recipe {
  Tensor pictures;  ///< (N,wide,wide,C) in [0, 1]
  std::vector<sim::Appearance> looks;
  std::vector<int64_t> kind, field, item;
};

/// Light (H,W,3) on one plane as a picture in [0, 1] whose white is 1.
float to_picture(double light) {
  return float(std::clamp(std::asinh(light / picture_softness) / std::asinh(1 / picture_softness), 0.0, 1.0));
}

Tensor bytes_as_grey(Tensor const& images, std::vector<int64_t> const& items) {
  std::vector<float> light(256);
  for (size_t v = 0; v < light.size(); ++v)
    light[v] = float(picture_softness * std::sinh(double(v) / 255 * std::asinh(1 / picture_softness)));
  int64_t pixels = images.dim(1) * images.dim(2);
  Tensor out = d16::empty({int64_t(items.size()), images.dim(1), images.dim(2), 1});
  d16::parallel_tasks(int64_t(items.size()), [&](int64_t n) {
    uint8_t const* in = images.data<uint8_t>() + items[size_t(n)] * pixels * 3;
    for (int64_t k = 0; k < pixels; ++k)
      out.data<float>()[n * pixels + k] =
          to_picture(double(light[in[3 * k]] + light[in[3 * k + 1]] + light[in[3 * k + 2]]) / 3);
  });
  return out;
}

Tensor bytes_in_colour(Tensor const& images, std::vector<int64_t> const& items) {
  std::vector<Tensor> list;
  for (int64_t item : items) list.push_back((images.select(0, item).cast(DType::f32) / 255.0).contiguous());
  return stack(list);
}

Tensor moved(Tensor const& pictures, uint64_t seed, int64_t view) {
  Tensor out = d16::empty(pictures.shape());
  int64_t H = pictures.dim(1), W = pictures.dim(2), C = pictures.dim(3);
  d16::parallel_tasks(pictures.dim(0), [&](int64_t n) {
    Random random = vision::random_of_item(seed, uint64_t(view), uint64_t(n));
    vision::Motion motion = vision::random_motion(random, {.shift = 3, .zoom = 0.15});
    vision::sample(pictures.data<float>() + n * H * W * C, H, W, C, 1, vision::Affine::about_centre(H, W, H, W, motion),
                   out.data<float>() + n * H * W * C, H, W);
  });
  return out;
}

// --- simulated pictures of the null tests ----------------------------------------------------------------------------

/// Light (wide,wide,3) of which the mean of the bands is drawn as a picture.
void draw(Tensor const& light, float* out) {
  for (int64_t k = 0; k < wide * wide; ++k) {
    float const* p = light.data<float>() + 3 * k;
    out[k] = to_picture(double(p[0] + p[1] + p[2]) / 3);
  }
}

/// A point within a pixel of the middle, so bright that degraded it is as faint as told.
void draw_star(Random& random, float* out) {
  int64_t middle = wide / 2 - 1, y = middle + random.integer(2), x = middle + random.integer(2);
  std::fill_n(out, wide * wide, 0.0f);
  out[y * wide + x] = 1;
}

sim::Galaxy spheroid(Random& random) {
  sim::Galaxy g;
  g.bulge_q = random.uniform(0.95, 1);
  g.bulge_r = random.uniform(5, 9);
  g.flux = 60 * g.bulge_r;  // the middle is white, the half-light radius well below
  return g;
}
/// Seen from above, with faint arms.
sim::Galaxy face_on(Random& random) {
  sim::Galaxy g{.kind = sim::Kind::disk, .bulge_fraction = random.uniform(0.1, 0.35)};
  g.disk_r = random.uniform(8, 12), g.disk_q = random.uniform(0.8, 1);
  g.bulge_r = g.disk_r / 5, g.bulge_n = 2.5, g.theta = random.uniform(0, 6.28);
  g.arms = 2, g.winding = random.uniform(0.25, 0.5), g.phase = random.uniform(0, 6.28);
  g.arm_strength = 0.5, g.flux = 20 * g.disk_r;
  return g;
}
void draw_galaxy(sim::Galaxy g, float* out) {
  g.x0 = g.y0 = double(wide - 1) / 2;
  Tensor light = d16::zeros({wide, wide, 3});
  sim::add_galaxy(light, g);
  draw(light, out);
}

Recipe simulated(int64_t count, DiskClass kind, sim::Appearance const& a) {
  Recipe r{d16::zeros({count, wide, wide, 1}), std::vector<sim::Appearance>(size_t(count), a), {}, {}, {}};
  for (int64_t i = 0; i < count; ++i) r.kind.push_back(int64_t(kind)), r.field.push_back(i), r.item.push_back(i);
  return r;
}

std::vector<std::string> split_name(std::string const& name) {
  std::vector<std::string> out{""};
  for (char c : name)
    if (c == '-') out.emplace_back();
    else out.back() += c;
  return out;
}

// --- files -------------------------------------------------------------------------------------------------------------

struct Member {
  char const* name;
  Tensor* tensor;
};

io::TensorFile file_of(std::string const& made, std::vector<Member> const& members) {
  io::TensorFile file{.metadata = {{"made", made}, {"degradation", "simulated, at the level of appearance"}}};
  for (Member const& m : members)
    if (m.tensor->defined()) file.tensors.emplace_back(m.name, *m.tensor);
  return file;
}

Tensor stretch_numbers(std::vector<vision::Stretch> const& list) {
  Tensor out = d16::empty({int64_t(list.size()), 3}, vision::host_tensor(DType::f64));
  for (size_t i = 0; i < list.size(); ++i) {
    vision::BandScale const& b = list[i].bands[0];
    double const numbers[] = {b.sky, b.sigma, b.white};
    std::copy_n(numbers, 3, out.data<double>() + 3 * i);
  }
  return out;
}
std::vector<vision::Stretch> stretches_of(Tensor const& numbers) {
  std::vector<vision::Stretch> out;
  for (int64_t i = 0; i < numbers.dim(0); ++i) {
    double const* n = numbers.data<double>() + 3 * i;
    out.push_back({{{n[0], n[1], n[2]}}, denoiser_stretch.softness});
  }
  return out;
}

}  // namespace

std::string disk_part(double snr, double size) { return text("test-", text(snr), "-", text(size)); }
std::vector<std::string> disk_ladder() {
  std::vector<std::string> out;
  for (double size : disk_sizes)
    for (double snr : disk_snr) out.push_back(disk_part(snr, size));
  return out;
}

Tensor disk_light(Tensor const& stretched, std::vector<vision::Stretch> const& stretch) {
  Tensor out = d16::empty(stretched.shape()), in = stretched.contiguous();
  d16::parallel_tasks(in.dim(0), [&](int64_t n) {
    Tensor one = stretch[size_t(n)].invert(in.select(0, n).contiguous());
    std::copy_n(one.data<float>(), one.numel(), out.data<float>() + n * one.numel());
  });
  return out;
}

Tensor disk_inputs(Tensor const& light) {
  int64_t C = light.dim(3);
  Tensor out = d16::empty(light.shape());
  d16::parallel_tasks(light.dim(0), [&](int64_t n) {
    Tensor own = light.select(0, n);
    Tensor x = classifier_input((C == 3 ? own : own.expand({own.dim(0), own.dim(1), 3})).contiguous(), C);
    std::copy_n(x.data<float>(), x.numel(), out.data<float>() + n * x.numel());
  });
  return out;
}

struct DiskData::Body {
  StudyDiskOptions o;
  std::string folder;
  Tensor images = {};  ///< (N,wide,wide,3) bytes
  std::vector<std::string> ids = {};
  std::vector<int64_t> kind = {}, field = {}, part = {};
  Denoise denoise = {};
  std::string denoiser = {};

  explicit Body(StudyDiskOptions const& options) : o(options), folder(join(options.out, "cache")) {
    std::error_code error;
    fs::create_directories(folder, error);
    require<FileError>(!error && is_folder(folder), folder, ": cannot make this folder: ", error.message(),
                       "; choose another --out");
    read_pictures();
  }

  std::string made() const { return text("seed ", o.seed, ", limit ", o.limit, ", parts 3"); }
  void check_made(io::TensorFile const& file, std::string const& path) const {
    auto found = file.metadata.find("made");
    require<FileError>(found != file.metadata.end() && found->second == made(), path, ": was made for \"",
                       found == file.metadata.end() ? "" : found->second, "\", this run needs \"", made(),
                       "\"; choose another --out or remove the folder");
  }

  void read_pictures() {
    std::string path = join(folder, "pictures.safetensors");
    if (!is_file(path)) make_pictures(path);
    io::TensorFile file = io::read_safetensors(path);
    check_made(file, path);
    images = file.at("images");
    Tensor numbers = file.at("numbers");
    for (int64_t i = 0; i < numbers.dim(0); ++i) {
      int64_t const* n = numbers.data<int64_t>() + 3 * i;
      kind.push_back(n[0]), field.push_back(n[1]), part.push_back(n[2]);
    }
    std::string const& all = file.metadata.at("ids");
    for (size_t at = 0, end; (end = all.find('\n', at)) != all.npos; at = end + 1)
      ids.push_back(all.substr(at, end - at));
  }

  void make_pictures(std::string const& path) const {
    require<d16::ValueError>(!o.data.empty() && !o.labels.empty(),
                             "study disk: --data and --labels are needed to begin; ", path, " is not there yet");
    data::ImageFolderOptions options{.labels = o.labels, .class_column = "class", .size = disk_side};
    options.classes = {
        {"elliptical", 0}, {"spiral", 1}, {"spiral_clockwise", 1}, {"spiral_anticlockwise", 1}, {"disk", 1},
        {"edge_on", 2},    {"merger", 3}};
    options.class_names = {"elliptical", "spiral", "edge_on", "merger"};
    int64_t const crop = usual_crop(o.data, disk_side);
    options.crop = double(crop), options.margin = double(wide - disk_side) / (2 * double(disk_side));
    data::Dataset all = data::image_folder(o.data, options);
    int64_t count = o.limit > 0 ? std::min(o.limit, all.size()) : all.size();
    Tensor numbers = d16::empty({count, 3}, vision::host_tensor(DType::i64));
    std::string names;
    for (int64_t i = 0; i < count; ++i) {
      std::string const& id = all.ids[size_t(i)];
      int64_t const n[] = {all.label(i), field_of(id), std::min(part_of_id(id), 2)};
      std::copy_n(n, 3, numbers.data<int64_t>() + 3 * i);
      names += id + "\n";
    }
    io::TensorFile file{.metadata = {{"made", made()}, {"ids", names}, {"crop", text(crop)}}};
    file.tensors.emplace_back("images", all.images.slice(0, 0, count).contiguous());
    file.tensors.emplace_back("numbers", numbers);
    io::write_safetensors(path, file);
  }

  std::vector<int64_t> items_of(int which, bool mergers = false) const {
    std::vector<int64_t> out;
    for (size_t i = 0; i < kind.size(); ++i)
      if ((DiskClass(kind[i]) == DiskClass::merger) == mergers && (mergers || part[i] == which))
        out.push_back(int64_t(i));
    return out;
  }

  Recipe of_items(std::vector<int64_t> const& items, std::function<sim::Appearance()> const& next, int copies = 1,
                  bool colour = false) const {
    Recipe r;
    std::vector<int64_t> repeated;
    for (int c = 0; c < copies; ++c) repeated.insert(repeated.end(), items.begin(), items.end());
    require<FileError>(!items.empty(), o.data, ": no pictures for one of the parts; the split is ", split());
    r.pictures = colour ? bytes_in_colour(images, repeated) : bytes_as_grey(images, repeated);
    for (int64_t i : repeated) {
      r.looks.push_back(next());
      r.kind.push_back(kind[size_t(i)]), r.field.push_back(field[size_t(i)]), r.item.push_back(i);
    }
    return r;
  }
  std::string split() const {
    std::string out;
    for (int which : {2, 1, 0}) {
      int64_t disks = 0, all = 0;
      for (int64_t i : items_of(which)) ++all, disks += kind[size_t(i)] != 0;
      out += text(out.empty() ? "" : ", ",
                  which == 2   ? "train "
                  : which == 1 ? "validation "
                               : "test ",
                  all, " (elliptical ", all - disks, ", disk ", disks, ")");
    }
    return out;
  }

  Recipe recipe(std::string const& name, bool colour = false) const {
    std::vector<std::string> w = split_name(name);
    if (w[0] == "colour") return recipe(name.substr(w[0].size() + 1), true);
    Random random(hash(text(name, "/", o.seed)));
    auto number = [&](size_t i) { return std::strtod(w.at(i).c_str(), nullptr); };
    auto any = [&] { return any_look(random); };
    auto fixed = [](sim::Appearance a) { return [a] { return a; }; };
    if (w[0] == "train") {
      Recipe r = of_items(items_of(2), any, 1, colour);
      r.pictures = moved(r.pictures, o.seed, std::atoi(w.at(1).c_str()));
      return r;
    }
    if (name == "validation") return of_items(items_of(1), any, 2, colour);
    if (name == "validation-clean") return of_items(items_of(1), fixed(clean_look()));
    if (name == "test-clean") return of_items(items_of(0), fixed(clean_look()));
    if (w[0] == "test") return of_items(items_of(0), fixed(look(number(1), number(2))), 1, colour);
    if (name == "mergers") return of_items(items_of(0, true), fixed(look(usual_snr, usual_size)));
    if (name == "mergers-clean") return of_items(items_of(0, true), fixed(clean_look()));
    sim::Appearance usual = look(usual_snr, usual_size);
    if (w[0] == "scheme") {
      usual.contaminants = sim::scheme_named(w.at(1)), usual.trail = 0;
      return of_items(items_of(0), fixed(usual));
    }
    if (name == "field-other") {
      usual.re_over_fwhm *= usual.fwhm / 3.5;  // as small as before it, under a wider PSF
      usual.fwhm = 3.5, usual.correlation = 0;
      return of_items(items_of(0), fixed(usual));
    }
    if (w[0] == "ceers") return faded(number(1));
    return null_test(w, random);
  }

  Recipe null_test(std::vector<std::string> const& w, Random& random) const {
    sim::Appearance alone = look(w.size() > 1 ? std::strtod(w[1].c_str(), nullptr) : usual_snr, usual_size);
    alone.contaminants = sim::Scheme::none, alone.trail = 0;
    int64_t pixels = wide * wide;
    if (w[0] == "noise") {
      alone.re_over_fwhm = 0, alone.shrink = 2;
      return simulated(1000, DiskClass::none, alone);
    }
    if (w[0] == "stars") {
      alone.re_over_fwhm = 0, alone.shrink = 6;  // in the frames of the galaxies of this level
      Recipe r = simulated(null_count, DiskClass::none, alone);
      for (int64_t i = 0; i < null_count; ++i) draw_star(random, r.pictures.data<float>() + i * pixels);
      return r;
    }
    if (w[0] == "spheroids") {
      Recipe r = simulated(null_count, DiskClass::none, alone);
      for (int64_t i = 0; i < null_count; ++i) draw_galaxy(spheroid(random), r.pictures.data<float>() + i * pixels);
      return r;
    }
    require<d16::ValueError>(w[0] == "arms", "study disk: there is no part \"", w[0], "\"");
    alone.re_over_fwhm = disk_sizes[2], alone = in_frame(alone);  // where the PSF leaves them
    Recipe r = simulated(2 * null_count, DiskClass::spiral, alone);
    for (int64_t i = 0; i < null_count; ++i) {
      sim::Galaxy g = face_on(random);
      draw_galaxy(g, r.pictures.data<float>() + (null_count + i) * pixels);
      g.arms = 0;
      draw_galaxy(g, r.pictures.data<float>() + i * pixels);
    }
    return r;
  }

  std::string ceers() const { return join(o.shared, "jwst_ceers_nircam"); }
  static double noise_correlation(Cutout const& cutout, std::string const& band) {
    for (Band const& one : cutout.bands) {
      if (lower(one.name) != lower(band)) continue;
      double lag = corner_correlation(one.image);
      require<FileError>(std::isfinite(lag), cutout.file, ": too little is known in the corners of band ", band);
      return lag;
    }
    throw FileError(text(cutout.file, ": has no band ", band));
  }
  /// Six galaxies of F277W as framed by d16 run, at S/N 100, 30, 10, 3, three times each; noise correlated as measured.
  Recipe faded(double shrink) const {
    Recipe r;
    std::vector<Tensor> pictures;
    for (Source const& source : find_sources(ceers())) {
      Cutout cutout = read_cutout(source);
      Frame frame = make_frame(cutout, {.size = disk_side, .bands = {"F277W"}});
      Tensor plane = frame.light.slice(2, 1, 2).contiguous(), picture = d16::zeros({wide, wide, 1});
      std::vector<double> values = vision::finite_values(plane);
      double sky = vision::median(values), white = vision::quantile(values, 0.998) - sky;
      int64_t margin = (wide - disk_side) / 2;
      for (int64_t k = 0; k < plane.numel(); ++k)
        picture.data<float>()[(k / disk_side + margin) * wide + k % disk_side + margin] =
            to_picture((double(plane.data<float>()[k]) - sky) / white);
      double lag = noise_correlation(cutout, "F277W");
      for (double snr : {100.0, 30.0, 10.0, 3.0})
        for (int copy = 0; copy < 3; ++copy) {
          pictures.push_back(picture);
          r.looks.push_back(
              {.snr = snr, .shrink = shrink, .correlation = std::clamp(lag, 0.0, 0.69), .enlarge = shrink});
          r.kind.push_back(int64_t(DiskClass::none)), r.field.push_back(std::atoll(source.id.c_str()));
          r.item.push_back(int64_t(r.item.size()));
        }
    }
    r.pictures = stack(pictures);
    return r;
  }

  /// In so many pieces of alike pictures, which have the same PSF and noise: those of the first piece.
  static sim::Degraded degraded(Recipe const& r, uint64_t seed, int64_t pieces) {
    sim::Degraded all, first;
    std::vector<Tensor> noisy, clean;
    for (int64_t piece = 0, n = r.pictures.dim(0) / pieces; piece < pieces; ++piece) {
      std::vector<sim::Appearance> looks(r.looks.begin() + piece * n, r.looks.begin() + (piece + 1) * n);
      Tensor pictures = r.pictures.slice(0, piece * n, (piece + 1) * n).contiguous();
      auto degrade = [&] {
        Random random(seed);
        return sim::degrade_appearances(pictures, looks, random, appearance_options());
      };
      for (size_t i = 0; i < looks.size() && piece > 0; ++i)
        looks[i].re_over_fwhm = 0, looks[i].shrink = first.shrink[i];
      sim::Degraded d = degrade();
      if (piece > 0) {  // noise goes as one over the S/N
        for (size_t i = 0; i < looks.size(); ++i) looks[i].snr *= d.sigma[i] / first.sigma[i];
        d = degrade();
      } else {
        first = d;
      }
      noisy.push_back(d.noisy), clean.push_back(d.clean);
      all.stretch.insert(all.stretch.end(), d.stretch.begin(), d.stretch.end());
    }
    all.noisy = d16::concat(noisy, d16::axis::N), all.clean = d16::concat(clean, d16::axis::N);
    return all;
  }

  /// Half of them disks, in the noise of photons, sky and read-out of the exposure, on a scale that its noise sets.
  void make_exposure(std::string const& name, std::string const& path) const {
    int64_t const count = std::min<int64_t>(600, int64_t(items_of(0).size()));
    double times = std::strtod(split_name(name).at(1).c_str(), nullptr);
    sim::CutoutOptions look{
        .size = disk_side, .channels = 1, .least_r = 0.09, .most_r = 0.14, .least_snr = 3, .most_snr = 30};
    look.least_fwhm = 2, look.most_fwhm = 6;
    look.noise = {.sky = 400, .read_noise = 5, .gain = 10, .correlation = 0.4};
    Tensor noisy = d16::empty({count, disk_side, disk_side, 1}), clean = d16::empty(noisy.shape());
    std::vector<vision::Stretch> stretch(static_cast<size_t>(count));
    std::vector<int64_t> kind(static_cast<size_t>(count)), item(static_cast<size_t>(count));
    uint64_t seed = hash(text("exposure/", o.seed));
    d16::parallel_tasks(count, [&](int64_t n) {
      Random random(seed, uint64_t(n)), noise(seed ^ hash(name), uint64_t(n));
      sim::Cutout c = sim::simulate_cutout(random, look);
      sim::NoiseModel longer = look.noise;
      longer.sky *= times, longer.gain *= times;
      Tensor light = sim::add_noise(c.contaminated, noise, longer);
      auto at = size_t(n);
      stretch[at] = vision::fit_stretch(light, denoiser_stretch);
      kind[at] = int64_t(c.truth.galaxy.kind == sim::Kind::disk ? DiskClass::spiral : DiskClass::elliptical),
      item[at] = n;
      for (auto [from, to] : {std::pair(light, noisy), std::pair(c.clean, clean)}) {
        Tensor y = stretch[at].apply(from);
        std::copy_n(y.data<float>(), y.numel(), to.data<float>() + n * y.numel());
      }
    });
    Tensor input = disk_inputs(disk_light(noisy, stretch)).cast(DType::bf16), numbers = stretch_numbers(stretch);
    Tensor kinds = d16::from(kind, {count}), items = d16::from(item, {count});
    Tensor seen = noisy.cast(DType::bf16), target = clean.cast(DType::bf16);
    io::write_safetensors(path, file_of(made(), {{"noisy", &input},
                                                 {"seen", &seen},
                                                 {"target", &target},
                                                 {"stretch", &numbers},
                                                 {"kind", &kinds},
                                                 {"field", &items},
                                                 {"item", &items}}));
  }

  void make(std::string const& name, std::string const& path) const {
    if (split_name(name)[0] == "exposure") return make_exposure(name, path);
    bool colour = split_name(name)[0] == "colour";
    Recipe r = recipe(name);
    sim::Degraded d = degraded(r, hash(text("noise of ", name, "/", o.seed)), split_name(name)[0] == "arms" ? 2 : 1);
    check_interrupted();
    auto half = [](Tensor const& x) { return x.cast(DType::bf16); };
    auto list = [](std::vector<int64_t> const& v) { return d16::from(v, {int64_t(v.size())}); };
    DiskSet set{half(disk_inputs(disk_light(d.noisy, d.stretch))), {}};
    if (split_name(name)[0] == "train") {
      Tensor middle = vision::centre_crop(r.pictures, disk_side, disk_side).contiguous();
      set.clean = half(disk_inputs(light_of(middle)));
    }
    set.kind = list(r.kind), set.field = list(r.field), set.item = list(r.item);
    // faint arms are fainter than the rounding of bfloat16
    bool exact = split_name(name)[0] == "arms";
    Tensor seen, target, stretch;  // no denoiser sees colours
    if (!colour) seen = half(d.noisy), target = exact ? d.clean : half(d.clean), stretch = stretch_numbers(d.stretch);
    io::write_safetensors(path, file_of(made(), {{"noisy", &set.noisy},
                                                 {"clean", &set.clean},
                                                 {"seen", &seen},
                                                 {"target", &target},
                                                 {"stretch", &stretch},
                                                 {"kind", &set.kind},
                                                 {"field", &set.field},
                                                 {"item", &set.item}}));
  }

  io::TensorFile open(std::string const& name) const {
    std::string path = join(folder, name + ".safetensors");
    if (!is_file(path)) make(name, path);
    io::TensorFile file = io::read_safetensors(path);
    check_made(file, path);
    return file;
  }

  Tensor through_denoiser(Tensor const& seen) const {
    Tensor clean = d16::empty(seen.shape());
    for (int64_t i = 0; i < seen.dim(0); i += 32) {
      int64_t end = std::min(seen.dim(0), i + 32);
      Tensor y = denoise(seen.slice(0, i, end).contiguous()).contiguous();
      std::copy_n(y.data<float>(), y.numel(), clean.data<float>() + i * disk_side * disk_side);
      check_interrupted();
    }
    return clean;
  }

  Tensor denoised(std::string const& name, io::TensorFile const& part) const {
    if (!part.has("seen")) return {};
    std::string path = join(folder, name + ".denoised.safetensors");
    if (is_file(path)) {
      io::TensorFile file = io::read_safetensors(path);
      if (!denoise || file.metadata["denoiser"] == denoiser) return file.at("denoised");
    }
    if (!denoise) return {};
    Tensor clean = through_denoiser(part.at("seen").cast(DType::f32));
    Tensor out = disk_inputs(disk_light(clean, stretches_of(part.at("stretch")))).cast(DType::bf16);
    io::TensorFile file{.metadata = {{"denoiser", denoiser}}};
    file.tensors.emplace_back("denoised", out);
    io::write_safetensors(path, file);
    return out;
  }
};

DiskData::DiskData(StudyDiskOptions const& o) : body_(new Body(o)) {}
DiskData::~DiskData() = default;

bool DiskData::has_ceers() const { return is_folder(body_->ceers()); }

std::vector<std::string> DiskData::tested() const {
  std::vector<std::string> out{"test-clean"};
  for (std::string const& name : disk_ladder()) out.push_back(name);
  for (char const* scheme : {"none", "stars", "neighbours", "trails"}) out.push_back(text("scheme-", scheme));
  for (char const* name : {"field-other", "mergers-clean", "mergers"})
    if (std::string(name) == "field-other" || !body_->items_of(0, true).empty()) out.emplace_back(name);
  for (char const* kind : {"stars-", "spheroids-", "arms-"})
    for (double snr : disk_snr) out.push_back(kind + text(snr));
  if (has_ceers())
    for (int shrink : {1, 2, 4}) out.push_back(text("ceers-", shrink));
  return out;
}

DiskSet DiskData::load(std::string const& part) const {
  io::TensorFile file = body_->open(part);
  DiskSet set{file.at("noisy"), {}};
  set.kind = file.at("kind"), set.field = file.at("field"), set.item = file.at("item");
  set.denoised = body_->denoised(part, file);
  return set;
}
Tensor DiskData::clean_view(int64_t view) const { return body_->open(text("train-", view)).at("clean"); }

DiskPairs DiskData::pairs(std::string const& part) const {
  io::TensorFile file = body_->open(part);
  return {file.at("seen"), file.at("target"), stretches_of(file.at("stretch"))};
}

int64_t DiskData::pictures(int part) const { return int64_t(body_->items_of(part).size()); }
std::string DiskData::split_text() const { return body_->split(); }
std::string DiskData::id(int64_t item) const { return body_->ids.at(size_t(item)); }

Tensor DiskData::picture(int64_t item) const {
  Tensor const& images = body_->images;
  require<d16::ValueError>(item >= 0 && item < images.dim(0), "study disk: there is no picture ", item);
  return vision::centre_crop(images.select(0, item).cast(DType::f32) / 255.0, disk_side, disk_side).contiguous();
}

Tensor DiskData::denoise(Tensor const& seen) const { return body_->through_denoiser(seen); }

void DiskData::set_denoiser(Denoise denoise, std::string name) {
  body_->denoise = std::move(denoise), body_->denoiser = std::move(name);
}

}  // namespace tool
