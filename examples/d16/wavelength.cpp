// Central wavelengths of filters by their names, to tell red from blue.
#include <algorithm>
#include <cstdlib>
#include <span>

#include "common.hpp"
#include "cutout.hpp"

namespace tool {

namespace {

/// The number is the wavelength in 10 nm. Other names with three digits are of HST and give nm.
constexpr char const* nircam[] = {"f070w",  "f090w", "f115w", "f140m", "f150w", "f150w2", "f162m", "f164n",
                                  "f182m",  "f187n", "f200w", "f210m", "f212n", "f250m",  "f277w", "f300m",
                                  "f322w2", "f323n", "f335m", "f356w", "f360m", "f405n",  "f410m", "f430m",
                                  "f444w",  "f460m", "f466n", "f470n", "f480m"};
constexpr char const* hubble_infrared[] = {"f098m", "f105w", "f110w", "f125w", "f127m",
                                           "f139m", "f140w", "f153m", "f160w"};

constexpr struct {
  char const* name;
  double micrometres;
} by_name[] = {{"u", .355},      {"g", .48},     {"r", .62},     {"i", .76},     {"z", .90},      {"y", .98},
               {"b", .44},       {"v", .55},     {"vis", .72},   {"j", 1.25},    {"h", 1.65},     {"k", 2.2},
               {"ks", 2.15},     {"blue", .44},  {"green", .53}, {"red", .65},   {"ch1", 3.55},   {"ch2", 4.5},
               {"f158m", 1.58},  {"f380m", 3.8}, {"f560w", 5.6}, {"f770w", 7.7}, {"f1000w", 10},  {"f1130w", 11.3},
               {"f1280w", 12.8}, {"f1500w", 15}, {"f1800w", 18}, {"f2100w", 21}, {"f2550w", 25.5}};

bool is_one_of(std::span<char const* const> names, std::string const& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

double wavelength(std::string const& band) {
  std::string name = lower(band);
  if (is_one_of(nircam, name) || is_one_of(hubble_infrared, name)) return std::atof(name.c_str() + 1) / 100;
  for (auto const& known : by_name)
    if (name == known.name) return known.micrometres;
  bool hubble = name.size() >= 5 && name[0] == 'f' && name.find_first_not_of("0123456789", 1) == 4;
  return hubble ? std::atof(name.c_str() + 1) / 1000 : nan;
}

bool is_nircam(std::string const& band) { return is_one_of(nircam, lower(band)); }

}  // namespace tool
