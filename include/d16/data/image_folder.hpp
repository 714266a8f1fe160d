// A folder of pictures and a CSV of classes as a Dataset. Pictures are decoded by io::read_image: include
// d16/io/jpeg.hpp or d16/io/png.hpp to make it able to.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../io/csv.hpp"
#include "../io/image.hpp"
#include "../vision/line_map.hpp"
#include "dataset.hpp"

namespace d16::data {

struct ImageFolderOptions {
  std::string labels = {};        ///< a CSV file, in the folder or by its path; empty: no labels
  std::string id_column = {};     ///< its column with file names, with or without .jpg, .jpeg or .png; empty: the first
  std::string class_column = {};  ///< its column with classes; empty: the second
  std::map<std::string, int64_t> classes = {};  ///< class in the file -> label; others are left out and counted.
                                                ///< Empty: all, numbered in alphabetical order
  std::vector<std::string> class_names = {};    ///< of the labels; empty: the classes in the file, joined by +
  int64_t size = 64;                            ///< pixels a side that networks see
  double crop = 0;       ///< side of the central square of the picture that becomes these pixels; 0: the largest
  double margin = 0.25;  ///< kept around it on each side, in units of `size`: turned images get real corners
  int64_t channels = 3;  ///< 3: grey is repeated; 1: colours are averaged
};

namespace detail {

/// The name of a picture's file without folder and ending, and any other name as it is: a dot is not always an ending.
inline std::string picture_id(std::string const& name) {
  std::filesystem::path const file = name;
  std::string ending = file.extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png" ? file.stem().string() : name;
}

/// File names without folder and ending -> path, for all files below the folder.
inline std::map<std::string, std::string> files_by_stem(std::string const& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::recursive_directory_iterator file(folder, error), end;
  require<FileError>(!error, folder, ": cannot list the folder: ", error.message(), "; check the name and your rights");
  std::map<std::string, std::string> found;
  for (; file != end; file.increment(error)) {
    std::string const name = file->path().filename().string(), id = picture_id(name);
    if (id != name && file->is_regular_file(error)) found[id] = file->path().string();
  }
  require<FileError>(!error, folder, ": cannot list the folder to its end: ", error.message());
  return found;
}

/// The central `crop` pixels of a picture and a margin as side x side bytes.
inline void shrink(Tensor picture, ImageFolderOptions const& o, int64_t side, uint8_t* out) {
  int64_t H = picture.dim(0), W = picture.dim(1), C = picture.dim(2);
  double crop = o.crop > 0 ? o.crop : double(std::min(H, W));
  require<FileError>(crop <= double(std::min(H, W)), "is ", H, "x", W, " pixels, smaller than the crop of ", crop);
  double half = crop / double(o.size) * double(side) / 2;
  auto map = [&](int64_t n) { return vision::window_map(n, double(n) / 2 - half, double(n) / 2 + half, side); };
  Tensor small = vision::apply("image_folder", map(H), map(W), picture);
  float const* in = small.data<float>();
  auto byte = [](float value) { return uint8_t(std::clamp(value, 0.0f, 1.0f) * 255 + 0.5f); };
  for (int64_t pixel = 0; pixel < side * side; ++pixel, in += C)
    for (int64_t c = 0; c < o.channels; ++c)
      *out++ = C == o.channels ? byte(in[c]) : C == 1 ? byte(in[0]) : byte((in[0] + in[1] + in[2]) / 3);
}

/// What the label file says: an id for each item and its label.
struct Listing {
  std::vector<std::string> ids, classes;
  std::vector<int64_t> labels;
  std::map<std::string, int64_t> left_out;
};

inline Listing read_listing(std::string const& folder, ImageFolderOptions const& o) {
  std::filesystem::path in_folder = std::filesystem::path(folder) / o.labels;
  io::Table table = io::read_csv(std::filesystem::exists(in_folder) ? in_folder.string() : o.labels);
  require<FileError>(table.columns().size() > 1, table.source(), ": has the column ", table.names(),
                     " only; one of ids and one of classes are needed");
  auto ids = table.strings(o.id_column.empty() ? table.columns()[0].name : o.id_column);
  auto names = table.strings(o.class_column.empty() ? table.columns()[1].name : o.class_column);
  std::map<std::string, int64_t> classes = o.classes;
  if (classes.empty()) {
    for (std::string const& name : names) classes[name];
    int64_t next = 0;
    for (auto& [name, label] : classes) label = next++;
  }
  Listing out;
  for (auto const& [name, label] : classes) {
    require<ValueError>(label >= 0 && label < 1000, "image_folder: class \"", name, "\" has label ", label,
                        "; labels count from 0");
    if (label >= int64_t(out.classes.size())) out.classes.resize(size_t(label + 1));
    std::string& joined = out.classes[size_t(label)];
    joined += (joined.empty() ? "" : "+") + name;
  }
  if (!o.class_names.empty()) {
    require<ValueError>(o.class_names.size() == out.classes.size(), "image_folder: ", o.class_names.size(),
                        " class_names for ", out.classes.size(), " labels");
    out.classes = o.class_names;
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    auto known = classes.find(names[i]);
    if (known == classes.end()) {
      ++out.left_out[names[i]];
      continue;
    }
    out.ids.push_back(ids[i]);
    out.labels.push_back(known->second);
  }
  return out;
}

/// The listed pictures, those that cannot be read flagged.
inline Dataset load_pictures(std::string const& folder, std::map<std::string, std::string> const& files,
                             Listing const& listing, ImageFolderOptions const& o) {
  require<ValueError>(o.size > 0 && o.margin >= 0 && (o.channels == 1 || o.channels == 3), "image_folder: size ",
                      o.size, ", margin ", o.margin, ", channels ", o.channels,
                      "; size > 0, margin >= 0, 1 or 3 channels are needed");
  int64_t N = int64_t(listing.ids.size()), side = o.size + 2 * int64_t(o.margin * double(o.size) + 0.5);
  require<FileError>(N > 0, folder, ": no pictures (.jpg, .jpeg, .png) with one of the wanted classes");
  Dataset all{empty({N, side, side, o.channels}, {.dtype = DType::u8, .device = Device()}),
              from(listing.labels, {N}, {.device = Device()}),
              listing.ids,
              listing.classes,
              o.size,
              {},
              listing.left_out};
  std::vector<std::string> reasons(static_cast<size_t>(N));
  parallel_tasks(N, [&](int64_t i) {
    auto file = files.find(listing.ids[size_t(i)]);
    if (file == files.end()) {
      reasons[size_t(i)] = "no such picture (.jpg, .jpeg, .png) in " + folder;
      return;
    }
    try {
      shrink(io::read_image(file->second), o, side, all.images.data<uint8_t>() + i * side * side * o.channels);
    } catch (FileError const& error) {
      reasons[size_t(i)] = error.what();
    }
  });
  std::vector<int64_t> good;
  for (int64_t i = 0; i < N; ++i) {
    if (reasons[size_t(i)].empty()) good.push_back(i);
    else all.flagged.push_back({listing.ids[size_t(i)], reasons[size_t(i)]});
  }
  if (good.empty())
    throw FileError(text(folder, ": none of ", N, " pictures can be used; the first: ", all.flagged[0].id, ": ",
                         all.flagged[0].reason));
  if (int64_t(good.size()) == N) return all;
  Dataset out = all.subset(good);
  out.flagged = std::move(all.flagged);
  out.left_out = std::move(all.left_out);
  return out;
}

}  // namespace detail

/// The pictures below a folder (JPEG, PNG) with the classes of a label file, cropped, shrunk and kept as bytes.
/// A picture that is missing or cannot be read becomes a flagged entry with the reason; the others go on.
/// Shapes   images (N, S, S, channels) uint8 with S = size * (1 + 2 margin); labels (N) int64. In the file's order.
/// Cost     decoding, on all threads; S^2 * channels bytes a picture.      Deterministic  yes.
/// Errors   FileError when the folder, the label file or one of its columns is not there, or no picture can be used.
inline Dataset image_folder(std::string const& folder, ImageFolderOptions const& o = {}) {
  std::map<std::string, std::string> files = detail::files_by_stem(folder);
  detail::Listing listing;
  if (!o.labels.empty()) {
    listing = detail::read_listing(folder, o);
    for (std::string& id : listing.ids) id = detail::picture_id(id);
  } else {
    for (auto const& [stem, path] : files) listing.ids.push_back(stem), listing.labels.push_back(-1);
  }
  return detail::load_pictures(folder, files, listing, o);
}

}  // namespace d16::data
