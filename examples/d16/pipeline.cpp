// The way of every object through the tool: bodies of pipeline.hpp.
#include "pipeline.hpp"

#include <new>
#include <stamp.hpp>

#include <d16/io/csv.hpp>
#include <d16/io/fits.hpp>

#include "shape.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::Tensor;
using d16::text;
namespace io = d16::io;

namespace {

constexpr size_t chunk = 16;  // objects in memory at a time

/// The part of a path below the input.
std::string relative(std::string const& path, std::string const& input) {
  std::string folder = join(input, "");
  return path.starts_with(folder) ? path.substr(folder.size()) : base_name(path);
}

void give_up(Object& object, std::string const& why) {
  object.frame = Frame();
  object.frame.flags = flag_unreadable;
  object.frame.note = why;
}

/// A classifier sees the object apart from its neighbours; a denoiser alone has to find them itself.
Frame read_frame(Source const& source, InputOptions const& o, bool apart, int64_t size) {
  Cutout cutout = read_cutout(source);
  FrameOptions frame{size, o.bands, o.zoom};
  if (!apart) return make_frame(cutout, frame);
  return frame_of(cutout, measure_shape(cutout, {.band = o.bands.empty() ? "" : o.bands[0], .fit = false}), frame);
}

Object read_object(Source const& source, InputOptions const& o, bool apart, int64_t size) {
  Object object{source.id, relative(source.path, o.input), {}, {}, {}, {}};
  try {
    object.frame = read_frame(source, o, apart, size);
  } catch (FileError const& error) {
    give_up(object, error.what());
  } catch (d16::Error const& error) {  // these do not know the file
    give_up(object, source.path + ": " + error.what());
  } catch (std::bad_alloc const&) {
    give_up(object, source.path + ": not enough memory for it; make smaller cutouts");
  }
  return object;
}

void denoise_objects(Network& network, std::vector<Object*> const& objects) {
  std::vector<Frame> frames;
  for (Object* object : objects) frames.push_back(object->frame);
  std::vector<Network::Denoised> results = network.denoise(frames);
  for (size_t i = 0; i < objects.size(); ++i) {
    std::string& note = objects[i]->frame.note;
    objects[i]->denoised = results[i].light, objects[i]->std = results[i].std;
    objects[i]->stretch = results[i].stretch;
    if (!results[i].problem.empty()) note += (note.empty() ? "" : "; ") + results[i].problem;
  }
}

/// The probabilities of raw and denoised light.
void classify_objects(Network& network, std::vector<Object*> const& objects) {
  std::vector<Tensor> lights;
  std::vector<double*> answers;
  for (Object* object : objects) {
    lights.push_back(object->frame.light);
    answers.push_back(&object->p_raw);
    if (!object->denoised.defined()) continue;
    lights.push_back(object->denoised);
    answers.push_back(&object->p_denoised);
  }
  std::vector<double> p = network.disk(lights);
  for (size_t i = 0; i < p.size(); ++i) *answers[i] = p[i];
}

template <class T, class F> std::vector<T> column(std::vector<Row> const& rows, F const& value) {
  std::vector<T> out;
  for (Row const& row : rows) out.push_back(T(value(row)));
  return out;
}

/// The lines that tell how a catalogue was made.
std::vector<io::FitsCard> history(Networks const& networks) {
  std::vector<io::FitsCard> cards{{"ORIGIN", text("d16 ", d16::stamp::version, " ", d16::stamp::commit), "program"},
                                  {"HISTORY", command_line()},
                                  {"HISTORY", "flags: " + flag_legend()}};
  if (networks.denoiser)
    cards.push_back(
        {"HISTORY", "denoiser " + base_name(networks.denoiser->path()) + ": " + networks.denoiser->summary()});
  if (networks.classifier)
    cards.push_back(
        {"HISTORY", "classifier " + base_name(networks.classifier->path()) + ": " + networks.classifier->summary()});
  return cards;
}

}  // namespace

int64_t Networks::size() const {
  if (denoiser && classifier)
    require<d16::WeightsError>(denoiser->size() == classifier->size(), denoiser->path(), ": takes ", denoiser->size(),
                               " pixels, ", classifier->path(), " takes ", classifier->size(),
                               "; give two networks of one size");
  return denoiser ? denoiser->size() : classifier->size();
}

void process(InputOptions const& o, Networks const& networks, std::function<void(Object&)> const& visit) {
  int64_t size = networks.size(), readable = 0;
  std::vector<Source> sources = find_sources(o.input);
  Progress progress("objects", int64_t(sources.size()));
  std::string first_problem;
  for (size_t begin = 0; begin < sources.size(); begin += chunk) {
    std::vector<Object> objects;
    for (size_t i = begin; i < std::min(begin + chunk, sources.size()); ++i)
      objects.push_back(read_object(sources[i], o, networks.classifier, size));
    std::vector<Object*> good;
    for (Object& object : objects) {
      if (object.readable()) good.push_back(&object);
      else if (first_problem.empty()) first_problem = object.frame.note;
    }
    readable += int64_t(good.size());
    if (networks.denoiser && !good.empty()) denoise_objects(*networks.denoiser, good);
    if (networks.classifier && !good.empty()) classify_objects(*networks.classifier, good);
    for (Object& object : objects) {
      visit(object);
      progress.step();
    }
  }
  if (readable > 0) return;
  require<FileError>(sources.size() > 1, first_problem);
  throw FileError(
      text(o.input, ": none of its ", sources.size(), " objects could be read; the first: ", first_problem));
}

Row row_of(Object const& object, bool raw, Network const& classifier, double prior) {
  Frame const& f = object.frame;
  Row row{object.id, object.file, {}, f.note};
  row.ra = f.ra, row.dec = f.dec, row.snr = f.snr, row.r90 = f.r90, row.scale = f.scale;
  row.n_bands = f.n_bands, row.flags = f.flags;
  row.p_raw = object.p_raw, row.p_denoised = object.p_denoised, row.p_disk = raw ? object.p_raw : object.p_denoised;
  constexpr double bright = std::numeric_limits<double>::infinity();  // nobody knows, and pictures are made of such
  row.p_cal = classifier.calibrated(row.p_disk, f.picture ? bright : f.snr, prior);
  if (object.readable()) row.bands = f.bands[0] + "," + f.bands[1] + "," + f.bands[2];
  return row;
}

io::Table catalog(std::vector<Row> const& rows, Networks const& networks, bool raw) {
  using R = Row const&;
  io::Table t;
  t.column("id", column<std::string>(rows, [](R r) { return r.id; }), {"", "object: name of its file or folder"});
  t.column("file", column<std::string>(rows, [](R r) { return r.file; }), {"", "where it was read, in the input"});
  t.column("ra", column<double>(rows, [](R r) { return r.ra; }),
           {"deg", "right ascension of the object's centre, ICRS; NaN: unknown"});
  t.column("dec", column<double>(rows, [](R r) { return r.dec; }),
           {"deg", "declination of the object's centre, ICRS; NaN: unknown"});
  if (networks.classifier) {
    double threshold = networks.classifier->threshold();
    std::string from = raw || !networks.denoiser ? "raw" : "denoised";
    t.column("p_disk", column<float>(rows, [](R r) { return r.p_disk; }),
             {"", "probability of a disk, from the " + from + " image"});
    t.column("disk", column<bool>(rows, [&](R r) { return r.p_disk >= threshold; }),
             {"", text("p_disk >= ", decimals(threshold, 4), ", best balanced accuracy on validation data")});
    if (networks.denoiser) {
      t.column("p_disk_raw", column<float>(rows, [](R r) { return r.p_raw; }),
               {"", "probability of a disk, raw image"});
      t.column("p_disk_denoised", column<float>(rows, [](R r) { return r.p_denoised; }),
               {"", "probability of a disk, denoised image"});
    }
    auto const& c = networks.classifier->calibration();
    t.column("p_disk_cal", column<float>(rows, [](R r) { return r.p_cal; }),
             {"", c ? text("p_disk calibrated on ", name_of(c->shown),
                           " validation pictures, at their frequency of disks or "
                           "that of --prior")
                    : std::string("NaN: the weights carry no calibration")});
  }
  t.column("snr", column<float>(rows, [](R r) { return r.snr; }),
           {"", "total signal to noise of the object in its red band"});
  t.column("size_px", column<float>(rows, [](R r) { return r.r90; }),
           {"pixel", "radius with 90 % of its light, red band"});
  t.column("size_arcsec", column<float>(rows, [](R r) { return r.r90 * r.scale; }),
           {"arcsec", "the same on the sky; NaN: scale unknown"});
  t.column("n_bands", column<int32_t>(rows, [](R r) { return r.n_bands; }), {"", "bands that were found"});
  t.column("bands", column<std::string>(rows, [](R r) { return r.bands; }), {"", "bands used as red, green, blue"});
  t.column("flags", column<int32_t>(rows, [](R r) { return r.flags; }), {"", "sum of " + flag_legend()});
  t.column("note", column<std::string>(rows, [](R r) { return r.note; }), {"", "what went wrong or was left out"});
  return t;
}

void write_catalog(std::string const& path, io::Table const& table, Networks const& networks) {
  if (ends_with(lower(path), ".fits")) io::write_fits_table(path, table, "CATALOG", history(networks));
  else io::write_csv(path, table);
}

}  // namespace tool
