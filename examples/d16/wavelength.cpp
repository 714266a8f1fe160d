// Central wavelengths of filters by their names, to tell red from blue.
#include <array>
#include <cstdlib>
#include <cstring>

#include "common.hpp"
#include "cutout.hpp"

namespace tool {

namespace {

/// Filters of JWST NIRCam and of HST WFC3/IR: the number is the wavelength in 10 nm. Other HST names give nm.
constexpr char const* hundredths[] = {"f070w",  "f090w", "f115w", "f140m", "f150w", "f150w2", "f162m", "f164n",
                                      "f182m",  "f187n", "f200w", "f210m", "f212n", "f250m",  "f277w", "f300m",
                                      "f322w2", "f323n", "f335m", "f356w", "f360m", "f405n",  "f410m", "f430m",
                                      "f444w",  "f460m", "f466n", "f470n", "f480m", "f098m",  "f105w", "f110w",
                                      "f125w",  "f127m", "f139m", "f140w", "f153m", "f160w"};

constexpr struct {
  char const* name;
  double micrometres;
} by_name[] = {{"u", .355},  {"g", .48},    {"r", .62},     {"i", .76},   {"z", .90},    {"y", .98},
               {"b", .44},   {"v", .55},    {"vis", .72},   {"j", 1.25},  {"h", 1.65},   {"k", 2.2},
               {"ks", 2.15}, {"blue", .44}, {"green", .53}, {"red", .65}, {"ch1", 3.55}, {"ch2", 4.5}};

}  // namespace

double wavelength(std::string const& band) {
  std::string name = lower(band);
  for (char const* known : hundredths)
    if (name == known) return std::atof(known + 1) / 100;
  for (auto const& known : by_name)
    if (name == known.name) return known.micrometres;
  bool hubble = name.size() >= 5 && name[0] == 'f' && name.find_first_not_of("0123456789", 1) == 4;
  return hubble ? std::atof(name.c_str() + 1) / 1000 : nan;
}

}  // namespace tool
