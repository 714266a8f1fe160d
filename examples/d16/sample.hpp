// The objects of a run: cutouts, with or without a catalogue, or places of a catalogue in mosaics.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"
#include "cutout.hpp"
#include "highz_catalog.hpp"

namespace tool {

/// Rows in their order, and the cutout of each. Of mosaics only sections are read, so that memory does not grow with
/// them.
class Sample {
 public:
  /// Errors   FileError: nothing there, no id or position in the catalogue, a mosaic that cannot be read in sections.
  explicit Sample(RunOptions const& o);
  ~Sample();
  Sample(Sample const&) = delete;

  size_t size() const { return rows_.size(); }
  std::string const& id(size_t i) const { return rows_.id[i]; }
  std::string file(size_t i) const;  ///< where it is read, relative to the input
  double redshift(size_t i) const { return redshift_.empty() ? nan : redshift_[i]; }
  double ra(size_t i) const { return ra_.empty() ? nan : ra_[i]; }  ///< of the catalogue, degrees
  double dec(size_t i) const { return dec_.empty() ? nan : dec_[i]; }
  bool has_catalogue() const { return catalogue_; }
  HighzRows const& rows() const { return rows_; }  ///< the columns of the input
  /// Errors   FileError that names the file: unreadable, no cutout for this row, outside of the mosaic.
  Cutout read(size_t i) const;

 private:
  struct Mosaics;
  void read_catalogue(std::string const& path);
  HighzRows rows_;
  bool catalogue_ = false;
  std::string input_;
  std::vector<double> redshift_, ra_, dec_;
  std::vector<Source> sources_;  // of each row; without files where there is none
  std::vector<std::string> scales_;
  double side_;
  std::unique_ptr<Mosaics> mosaics_;
};

}  // namespace tool
