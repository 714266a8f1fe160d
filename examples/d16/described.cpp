// Catalogues with units, comments, UCDs and history: bodies of described.hpp.
#include "described.hpp"

#include <stamp.hpp>

#include <d16/io/csv.hpp>
#include <d16/io/fits.hpp>

#include "common.hpp"
#include "sha256.hpp"

namespace tool {

namespace io = d16::io;

std::vector<io::FitsCard> provenance(std::vector<std::string> const& weights, uint64_t seed) {
  std::vector<io::FitsCard> cards{
      {"ORIGIN", d16::text("d16 ", d16::stamp::version, " ", d16::stamp::commit), "program"},
      {"D16SEED", int64_t(seed), "start of all random numbers"}};
  for (size_t i = 0; i < weights.size(); ++i) {
    std::string number = std::to_string(i + 1);
    cards.push_back({"D16WGHT" + number, base_name(weights[i]), "file of weights"});
    cards.push_back({"D16SHA" + number, sha256_of_file(weights[i]), "its sha256"});
  }
  cards.push_back({"HISTORY", command_line()});
  return cards;
}

void write_described(std::string const& path, Described const& catalogue, std::vector<io::FitsCard> cards) {
  if (!ends_with(lower(path), ".fits")) return io::write_csv(path, catalogue.table);
  for (size_t i = 0; i < catalogue.ucds.size(); ++i)
    if (!catalogue.ucds[i].empty()) cards.push_back({"TUCD" + std::to_string(i + 1), catalogue.ucds[i]});
  io::write_fits_table(path, catalogue.table, "CATALOG", cards);
}

}  // namespace tool
