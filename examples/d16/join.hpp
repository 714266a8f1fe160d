// Columns of other tables for the rows of one: by a key that both have, or by the nearest place on the sky.
#pragma once
#include <string>
#include <vector>

#include <d16/io/table.hpp>

namespace tool {

struct JoinOptions {
  std::string table, key;  ///< a CSV with the same key; empty: nothing is joined
  std::string match;       ///< a CSV with ra, dec; empty: nothing is matched
  double within = 0.3;     ///< arcsec
  std::string where;       ///< "grade=3": only rows of it with that value; empty: all
};

/// Says what was found, one sentence each.
struct Joined {
  d16::io::Table table;
  std::vector<std::string> notes;
};

/// The columns of the table, then those of the others that it has not; empty text where there is no partner. A matched
/// row is the partner of the nearest row only, and only the nearest one; "match_arcsec" is the distance.
/// Errors   FileError: no such column, a key twice.
Joined join_tables(d16::io::Table table, JoinOptions const& o);

}  // namespace tool
