// d16 info: what this program, this machine or a file is.
#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stamp.hpp>
#include <thread>
#include <tuple>

#include <d16/core/machine.hpp>
#include <d16/core/parallel.hpp>
#include <d16/cuda/use.hpp>
#include <d16/data/efigi.hpp>
#include <d16/data/galaxy10.hpp>
#include <d16/io/csv.hpp>
#include <d16/io/fits.hpp>
#include <d16/io/idx.hpp>
#include <d16/io/jpeg.hpp>
#include <d16/io/npy.hpp>
#include <d16/io/png.hpp>
#include <d16/io/safetensors.hpp>
#include <d16/kernels/cpu/isa.hpp>
#include <d16/vision/statistics.hpp>

#include "commands.hpp"

namespace tool {

using d16::Tensor;
using d16::text;
namespace io = d16::io;

namespace {

/// "model name" of /proc/cpuinfo.
std::string processor() {
  std::FILE* file = std::fopen("/proc/cpuinfo", "r");
  char line[512];
  std::string name = "unknown";
  while (file && std::fgets(line, sizeof line, file))
    if (std::string(line).starts_with("model name")) {
      name = std::string(line).substr(std::string(line).find(':') + 2);
      name.pop_back();
      break;
    }
  if (file) std::fclose(file);
  return name;
}

std::string where(char const* name) {
  try {
    return find_weights("", name);
  } catch (d16::FileError const&) {
    return "none";
  }
}

/// What there is to compute with; of a device that does not work, why.
Json devices() {
  Json out = Json::object({{"cpu", text(std::thread::hardware_concurrency(), " cores, ", processor())},
                           {"reference", "plain loops in double, on the cpu"}});
  for (auto [name, use, machine] : {std::tuple("cuda", &d16::use_cuda, &d16::cuda_machine),
                                    std::tuple("cuda_emulated", &d16::use_cuda_emulated, &d16::emulated_machine)})
    try {
      use();
      std::vector<std::string> const names = machine->names();
      for (size_t i = 0; i < names.size(); ++i) out[i == 0 ? std::string(name) : text(name, ":", i)] = names[i];
    } catch (d16::Error const& error) {
      out[name] = text("not here: ", error.what());
    }
  return out;
}

Json about_program() {
  float cfitsio = 0;
  fits_get_version(&cfitsio);
  Json out = Json::object({{"version", d16::stamp::version},
                           {"commit", d16::stamp::commit},
                           {"compiler", d16::stamp::compiler},
                           {"flags", d16::stamp::flags},
                           {"processor", processor()},
                           {"cores", int64_t(std::thread::hardware_concurrency())},
                           {"threads", d16::threads()},
                           {"instructions", d16::kernels::cpu::isa_name(d16::kernels::cpu::best_isa())},
                           {"devices", devices()},
                           {"cfitsio", std::round(double(cfitsio) * 1000) / 1000},
                           {"libpng", PNG_LIBPNG_VER_STRING},
                           {"libjpeg", JPEG_LIB_VERSION},
                           {"disk_weights", where("disk.safetensors")},
                           {"denoise_weights", where("denoise.safetensors")}});
  return out;
}

/// Finite pixels: how many, range, median, noise.
Json statistics(Tensor const& x) {
  std::vector<double> values = d16::vision::finite_values(x);
  Json out = Json::object({{"pixels", x.numel()}, {"finite", values.size()}});
  if (values.empty()) return out;
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  out["min"] = *low;
  out["max"] = *high;
  auto clipped = d16::vision::sigma_clipped_stats(x);
  out["sky"] = clipped.median;
  out["noise"] = clipped.std;
  return out;
}

Json shape_of(std::vector<int64_t> const& sizes) { return Json(sizes); }

/// One HDU: images with statistics (the first plane of a cube), tables with their columns.
Json about_hdu(std::string const& path, io::FitsHdu const& hdu) {
  bool image = hdu.kind == io::FitsHdu::Kind::image;
  Json out = Json::object(
      {{"hdu", hdu.index}, {"name", hdu.name}, {"kind", image ? "image" : "table"}, {"shape", shape_of(hdu.sizes)}});
  std::string index = std::to_string(hdu.index);
  if (!image) {
    io::Table table = io::read_fits_table(path, {.hdu = index, .columns = {}});
    Json columns = Json::Array();
    for (io::Column const& c : table.columns())
      columns.push_back(c.name + (c.info.unit.empty() ? "" : " [" + c.info.unit + "]"));
    out["columns"] = columns;
    return out;
  }
  if (!hdu.has_data() || hdu.sizes.size() < 2) return out;
  bool cube = hdu.sizes.size() > 2 && hdu.sizes[hdu.sizes.size() - 3] > 1;
  io::FitsImage read = io::read_fits(path, {.hdu = index, .section = {}, .plane = cube ? 0 : -1});
  if (!read.unit.empty()) out["unit"] = read.unit;
  if (read.scale.known()) out["arcsec_per_pixel"] = read.scale.arcsec;
  out["scale_from"] = read.scale.how;
  out["statistics"] = statistics(read.pixels);
  return out;
}

Json about_fits(std::string const& path) {
  Json hdus = Json::Array();
  for (io::FitsHdu const& hdu : io::list_fits(path)) hdus.push_back(about_hdu(path, hdu));
  return Json::object({{"file", path}, {"kind", "FITS"}, {"hdus", hdus}});
}

Json about_weights(std::string const& path) {
  io::TensorFile file = io::read_safetensors(path);
  Json out = Json::object({{"file", path}, {"kind", "weights"}});
  for (auto const& [key, value] : file.metadata) {
    bool json = !value.empty() && value[0] == '{';
    if (key != "trainer") out[key] = json ? io::parse_json(value, path + ": " + key) : Json(value);
  }
  int64_t values = 0;
  Json tensors = Json::Array();
  for (auto const& [name, tensor] : file.tensors) {
    values += tensor.numel();
    tensors.push_back(name + " " + tensor.shape().text() + " " + name_of(tensor.dtype()));
  }
  out["values"] = values;
  out["tensors"] = tensors;
  return out;
}

Json about_array(std::string const& path, char const* kind, Tensor const& x) {
  return Json::object({{"file", path},
                       {"kind", kind},
                       {"shape", Json(std::vector<int64_t>(x.shape().begin(), x.shape().end()))},
                       {"statistics", statistics(x)}});
}

Json about_table(std::string const& path) {
  io::Table table = io::read_csv(path);
  Json columns = Json::Array();
  for (io::Column const& c : table.columns()) columns.push_back(c.name);
  return Json::object({{"file", path}, {"kind", "CSV table"}, {"rows", table.rows()}, {"columns", columns}});
}

/// How often each label is there: "0": 980.
Json counts_of(Tensor const& labels) {
  std::map<int64_t, int64_t> counts;
  Tensor numbers = labels.cast(d16::DType::i64).contiguous();
  for (int64_t v : numbers.host<int64_t>()) ++counts[v];
  Json out = Json::object({});
  for (auto const& [label, count] : counts) out[std::to_string(label)] = count;
  return out;
}

Json about_idx(std::string const& path) {
  Tensor x = io::read_idx(path);
  if (x.rank() > 1) return about_array(path, "idx file (MNIST), pictures", x);
  return Json::object(
      {{"file", path}, {"kind", "idx file (MNIST), labels"}, {"labels", x.numel()}, {"counts", counts_of(x)}});
}

/// Its datasets; of Galaxy10 the classes too.
Json about_hdf5(std::string const& path) {
  io::Hdf5File file(path);
  Json sets = Json::Array();
  bool images = false, answers = false;
  for (io::Hdf5Dataset const& d : file.datasets()) {
    sets.push_back(d.name + " " + d.shape.text() + " " + name_of(d.dtype));
    images |= d.name == "images", answers |= d.name == "ans";
  }
  Json out = Json::object({{"file", path}, {"kind", images && answers ? "HDF5, as Galaxy10" : "HDF5"}});
  if (images && answers) {
    d16::data::Dataset first = d16::data::galaxy10(path, {.size = 16, .limit = 1});
    out["first"] = first.classes[size_t(first.label(0))];
    Tensor labels = file.read("ans");
    std::vector<std::string> names = d16::data::galaxy10_classes();
    Json const by_number = counts_of(labels);
    Json counts = Json::object({});
    for (auto const& [label, count] : by_number.object()) {
      int64_t k = std::stoll(label);
      bool known = k >= 0 && k < int64_t(names.size());
      counts[known ? names[size_t(k)] : "unknown label " + label] = count;
    }
    out["counts"] = counts;
  }
  out["datasets"] = sets;
  return out;
}

/// How many pictures, FITS files and tables a folder has; of a table in EFIGI's form the classes.
Json about_folder(std::string const& path) {
  int64_t pictures = 0, fits = 0;
  Json out = Json::object({{"file", path}, {"kind", "folder"}}), tables = Json::Array();
  for (std::string const& name : list_folder(path)) {
    std::string small = lower(name);
    pictures += ends_with(small, ".jpg") || ends_with(small, ".jpeg") || ends_with(small, ".png");
    fits += ends_with(small, ".fits") || ends_with(small, ".fits.gz") || ends_with(small, ".fit");
    if (!ends_with(small, ".csv")) continue;
    io::Table table = io::read_csv(join(path, name));
    tables.push_back(text(name, ": ", table.rows(), " rows, ", table.names()));
    if (!table.has("PGCname") || !table.has("T") || !table.has("Inclination")) continue;
    out["kind"] = "folder in EFIGI's form";
    std::vector<double> type = table.numbers("T"), inclination = table.numbers("Inclination");
    std::map<std::string, int64_t> counts;
    for (size_t i = 0; i < type.size(); ++i) {
      std::string kind = d16::data::efigi_class(type[i], inclination[i]);
      ++counts[kind.empty() ? "no type" : kind];
    }
    Json classes = Json::object({});
    for (auto const& [kind, count] : counts) classes[kind] = count;
    out["classes"] = classes;
  }
  out["pictures"] = pictures;
  out["fits_files"] = fits;
  if (!tables.array().empty()) out["tables"] = tables;
  return out;
}

/// By its first bytes, and by its name where those do not tell.
Json about_file(std::string const& path) {
  if (is_folder(path)) return about_folder(path);
  io::InputFile file(path);
  char bytes[9] = {};
  file.read(bytes, std::min<int64_t>(file.size(), 8));
  std::string start(bytes, size_t(std::min<int64_t>(file.size(), 8))), name = lower(path);
  d16::require<d16::FileError>(!start.empty(), path, ": is empty; fetch the file again");
  if (start.starts_with("\x89PNG") || start.starts_with("\xFF\xD8\xFF"))
    return about_array(path, "picture", io::read_image(path));
  if (start.starts_with("\x93NUMPY")) return about_array(path, "NumPy array", io::read_npy(path));
  if (start.starts_with("\x89HDF")) return about_hdf5(path);
  if (io::is_idx(start) || ends_with(name, "-ubyte.gz")) return about_idx(path);
  if (ends_with(name, ".safetensors")) return about_weights(path);
  if (ends_with(name, ".csv")) return about_table(path);
  if (start.starts_with("SIMPLE") || ends_with(name, ".fits") || ends_with(name, ".gz") || ends_with(name, ".fit"))
    return about_fits(path);
  throw d16::FileError(path + ": is no FITS, picture, .npy, .csv, .safetensors, HDF5 or idx file; give one of these");
}

std::string plain(Json const& value) {
  if (value.is_string()) return value.string();
  if (value.is_number() && !value.is_integer()) return text(value.number());
  return value.dump();
}

/// Objects as indented lines "key: value"; lists of objects one after the other.
void say_tree(Json const& value, std::string const& indent) {
  for (auto const& [key, item] : value.object()) {
    bool list = item.is_array() && !item.array().empty() && !item.array()[0].is_number();
    if (item.is_object()) {
      say(indent + key + ":");
      say_tree(item, indent + "  ");
    } else if (!list) {
      say(indent + key + ": " + plain(item));
    } else {
      say(indent + key + ":");
      for (Json const& one : item.array()) {
        if (one.is_object()) say_tree(one, indent + "  ");
        else say(indent + "  " + plain(one));
        if (one.is_object()) say("");
      }
    }
  }
}

}  // namespace

Json info(InfoOptions const& o) {
  Json out = o.file.empty() ? about_program() : about_file(o.file);
  say_tree(out, "");
  return out;
}

}  // namespace tool
