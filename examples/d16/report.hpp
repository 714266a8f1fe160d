// The report of `d16 run`: one HTML file with what can be believed, pictures, histograms, a table and how it was made.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "products.hpp"

namespace tool {

/// One object of the gallery, as pictures (size,size,3) in [0, 1] with row 0 on top.
struct Exhibit {
  size_t row = 0;  ///< of the catalogue
  d16::Tensor raw, denoised, sigma, residual, truth;
  double white = 0;  ///< of sigma, in the unit of the light
  std::string unit = {};
  double wrong = 0;  ///< what the worst are sorted by
};

/// The pictures of an object, and of its light without noise and neighbours where that is known. In the residual
/// (raw - denoised) / error zero is dark grey, light taken away orange, added blue, five sigma full colour.
Exhibit exhibit_of(Object const& object, ProductPlanes const& planes, d16::Tensor const& clean, size_t row);

/// Mean probabilities of a real object with noise added until it has such S/N.
struct Faded {
  std::string id;
  std::vector<double> snr, raw, denoised;
};

struct Report {
  std::string input;
  std::vector<Row> rows = {};
  bool raw = false, has_truth = false;
  double zoom = 1, seconds = 0;
  int64_t simulated = 0;                 ///< objects whose header says so
  Curves curves = {};                    ///< of the classifier; may be empty
  bool other_denoiser = false;           ///< not that of the curves: theirs of denoised pictures are left out
  std::string sample = {};               ///< of --purity, in words
  std::vector<std::string> hashes = {};  ///< "disk.safetensors: sha256 ..."
  std::vector<Faded> faded = {};
  std::vector<Exhibit> exhibits = {};  ///< of the first objects
  std::vector<Exhibit> worst = {};     ///< the surest errors, or where raw and denoised image differ most

  /// What the curves say holds for the denoiser that they were made with, and of raw pictures.
  void take_curves(Curves all, std::string const& denoiser_sha256);
  /// Keeps the pictures of the last row where the report will show them.
  void show(std::function<Exhibit()> const& make);
};

/// Longer galleries are cut; the catalogue has everything.
constexpr size_t most_exhibits = 120, most_worst = 24;

/// How many disks there are, by the sum of the probabilities, and how many have p >= sure_disk.
struct Expected {
  int64_t objects = 0, sure = 0;
  double sum = 0, variance = 0, sure_sum = 0;
  double half() const;  ///< of the 95 % interval of the sum, if the probabilities mean what they say
};
Expected expected_disks(std::vector<Row const*> const& rows);

std::string report_html(Report const& report, Networks const& networks);

}  // namespace tool
