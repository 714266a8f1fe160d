// A folder of images and a table in the form of EFIGI: names, Hubble types and attributes, brought to classes by a rule.
#pragma once
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "image_folder.hpp"

namespace d16::data {

/// What a galaxy of Hubble type T is called; "" for one that has none.
///   elliptical  T = -6 (cE) to -4 (cD), and 11 (dE)        lenticular  -3 (S0-) to 0 (S0/a)
///   spiral       1 (Sa) to 9 (Sm)                          irregular   10 (Im)
///   edge_on      a spiral whose attribute Inclination is `edge_on` or more
/// Source   Baillard et al. 2011, A&A 532, A74, tables 1 and 2: T as there, attributes from 0 to 1 in steps of 1/4.
inline std::string efigi_class(double type, double inclination, double edge_on = 0.75) {
  if (!(type >= -6 && type <= 11) || type != std::floor(type)) return "";
  if (type <= -4 || type == 11) return "elliptical";
  if (type <= 0) return "lenticular";
  if (type == 10) return "irregular";
  return inclination >= edge_on ? "edge_on" : "spiral";
}

struct EfigiOptions {
  std::string table = "EFIGI_attributes.csv";  ///< in the folder or by its path
  std::string id_column = "PGCname", type_column = "T", inclination_column = "Inclination";
  double edge_on = 0.75;
  /// Class of efigi_class() -> label; others are left out and counted. Lenticulars and irregulars are neither here.
  std::map<std::string, int64_t> classes = {{"elliptical", 0}, {"spiral", 1}, {"edge_on", 1}};
  std::vector<std::string> class_names = {"elliptical", "disk"};
  ImageFolderOptions pictures = {};  ///< size, crop, margin, channels
};

/// The pictures of the table's galaxies, with labels by the rule of efigi_class().
/// Shapes   images (N, S, S, channels) uint8, labels (N), as image_folder.
/// Errors   FileError when the folder, the table or one of its columns is not there, or no picture can be used; ValueError
///          for labels without names.
inline Dataset efigi_folder(std::string const& folder, EfigiOptions const& o = {}) {
  std::filesystem::path inside = std::filesystem::path(folder) / o.table;
  io::Table table = io::read_csv(std::filesystem::exists(inside) ? inside.string() : o.table);
  std::vector<std::string> ids = table.strings(o.id_column);
  std::vector<double> type = table.numbers(o.type_column), inclination = table.numbers(o.inclination_column);
  detail::Listing listing;
  listing.classes = o.class_names;
  for (auto const& [name, label] : o.classes)
    require<ValueError>(label >= 0 && label < int64_t(o.class_names.size()), "efigi_folder: class \"", name,
                        "\" has label ", label, ", there are ", o.class_names.size(),
                        " class_names; one for each label");
  for (size_t i = 0; i < ids.size(); ++i) {
    std::string name = efigi_class(type[i], inclination[i], o.edge_on);
    auto known = o.classes.find(name);
    if (known == o.classes.end()) {
      ++listing.left_out[name.empty() ? "no type" : name];
      continue;
    }
    listing.ids.push_back(detail::picture_id(ids[i]));
    listing.labels.push_back(known->second);
  }
  return detail::load_pictures(folder, detail::files_by_stem(folder), listing, o.pictures);
}

}  // namespace d16::data
