// Catalogues as Virtual Observatory tools like them: each column with unit, comment and UCD, the header with its history.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include <d16/io/fits_header.hpp>
#include <d16/io/table.hpp>

namespace tool {

/// A table under construction. UCDs go into the header: TUCDn.
struct Described {
  d16::io::Table table = {};
  std::vector<std::string> ucds = {};  ///< of each column; empty where there is no fitting word

  template <class T>
  void add(std::string name, std::vector<T> values, std::string unit, std::string comment, std::string ucd = {}) {
    table.column(std::move(name), std::move(values), {std::move(unit), std::move(comment)});
    ucds.push_back(std::move(ucd));
  }
};

/// How a product was made: version, command, seed, and each file of weights with its sha256 (D16WGHT1, D16SHA1 ...).
std::vector<d16::io::FitsCard> provenance(std::vector<std::string> const& weights, uint64_t seed);

/// By the ending of the name: FITS with units, comments, UCDs and the cards, or CSV.
void write_described(std::string const& path, Described const& catalogue, std::vector<d16::io::FitsCard> cards);

}  // namespace tool
