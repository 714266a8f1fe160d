// Joins of tables: bodies of join.hpp.
#include "join.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include <d16/io/csv.hpp>

#include "common.hpp"
#include "highz_catalog.hpp"

namespace tool {

using d16::FileError;
using d16::require;
using d16::text;
namespace io = d16::io;

namespace {

constexpr int64_t nobody = -1;

io::Column const& need(io::Table const& table, std::vector<std::string> const& names) {
  io::Column const* found = find_any(table, names);
  require<FileError>(found, table.source(), ": no column \"", names[0], "\"; it has ", table.names());
  return *found;
}

/// The columns of `other` that `table` has not, for partner[row] of each row.
void add_columns(io::Table& table, io::Table const& other, std::vector<int64_t> const& partner) {
  for (io::Column const& column : other.columns()) {
    if (column.name.empty() || find_any(table, {column.name})) continue;
    std::vector<std::string> all = other.strings(column.name), values;
    for (int64_t row : partner) values.push_back(row == nobody ? "" : all[size_t(row)]);
    table.column(column.name, std::move(values), column.info);
  }
}

std::vector<int64_t> by_key(io::Table const& table, io::Table const& other, std::string const& key) {
  std::vector<std::string> own = table.strings(need(table, {key}).name), keys = other.strings(need(other, {key}).name);
  std::map<std::string, int64_t> rows;
  for (size_t i = 0; i < keys.size(); ++i)
    require<FileError>(rows.emplace(keys[i], int64_t(i)).second, other.source(), " ", other.where(int64_t(i)), ": ",
                       key, " \"", keys[i], "\" is there twice; a key belongs to one row");
  std::vector<int64_t> out;
  for (std::string const& k : own) {
    auto found = rows.find(k);
    out.push_back(found == rows.end() ? nobody : found->second);
  }
  return out;
}

struct Sky {
  std::vector<double> ra, dec;
};
Sky sky_of(io::Table const& table) {
  return {table.numbers(need(table, {"ra", "RA"}).name), table.numbers(need(table, {"dec", "DEC"}).name)};
}
/// Arcsec between two places that are near each other.
double distance(Sky const& a, size_t i, Sky const& b, size_t j) {
  double x = std::remainder(a.ra[i] - b.ra[j], 360) * std::cos(a.dec[i] * std::numbers::pi / 180),
         y = a.dec[i] - b.dec[j];
  return 3600 * std::hypot(x, y);
}

/// Pairs that are each other's nearest within a distance.
std::vector<int64_t> by_place(Sky const& own, Sky const& other, std::vector<bool> const& allowed, double within,
                              std::vector<double>& arcsec) {
  std::vector<size_t> order;  // of the others, by declination
  for (size_t j = 0; j < allowed.size(); ++j)
    if (allowed[j] && std::isfinite(other.ra[j]) && std::isfinite(other.dec[j])) order.push_back(j);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return other.dec[a] < other.dec[b]; });
  std::vector<int64_t> partner(own.ra.size(), nobody), taken(allowed.size(), nobody);
  std::vector<double> best(own.ra.size(), within), best_of_other(allowed.size(), within);
  for (size_t i = 0; i < own.ra.size(); ++i) {
    auto first = std::lower_bound(order.begin(), order.end(), own.dec[i] - within / 3600,
                                  [&](size_t j, double dec) { return other.dec[j] < dec; });
    for (; first != order.end() && other.dec[*first] <= own.dec[i] + within / 3600; ++first) {
      double d = distance(own, i, other, *first);
      if (d <= best[i]) best[i] = d, partner[i] = int64_t(*first);
      if (d <= best_of_other[*first]) best_of_other[*first] = d, taken[*first] = int64_t(i);
    }
  }
  arcsec.assign(own.ra.size(), std::nan(""));
  for (size_t i = 0; i < partner.size(); ++i) {
    if (partner[i] != nobody && taken[size_t(partner[i])] != int64_t(i)) partner[i] = nobody;
    if (partner[i] != nobody) arcsec[i] = best[i];
  }
  return partner;
}

std::vector<bool> allowed_rows(io::Table const& table, std::string const& where) {
  std::vector<bool> out(size_t(table.rows()), true);
  if (where.empty()) return out;
  size_t equal = where.find('=');
  require<FileError>(equal != where.npos, "--where: \"", where, "\"; COLUMN=VALUE is needed");
  std::vector<std::string> values = table.strings(need(table, {where.substr(0, equal)}).name);
  for (size_t i = 0; i < values.size(); ++i) out[i] = values[i] == where.substr(equal + 1);
  return out;
}

int64_t partners(std::vector<int64_t> const& partner) {
  return int64_t(partner.size()) - std::count(partner.begin(), partner.end(), nobody);
}

}  // namespace

Joined join_tables(io::Table table, JoinOptions const& o) {
  Joined out{std::move(table), {}};
  if (!o.table.empty()) {
    io::Table other = io::read_csv(o.table);
    std::vector<int64_t> partner = by_key(out.table, other, o.key);
    add_columns(out.table, other, partner);
    out.notes.push_back(text(partners(partner), " of ", out.table.rows(), " rows have a partner in ",
                             base_name(o.table), " by ", o.key));
  }
  if (!o.match.empty()) {
    io::Table other = io::read_csv(o.match);
    std::vector<double> arcsec;
    std::vector<int64_t> partner =
        by_place(sky_of(out.table), sky_of(other), allowed_rows(other, o.where), o.within, arcsec);
    add_columns(out.table, other, partner);
    out.table.column("match_arcsec", arcsec, {"arcsec", "to the row of " + base_name(o.match)});
    out.notes.push_back(text(partners(partner), " of ", out.table.rows(), " rows have a partner within ", o.within,
                             " arcsec in ", base_name(o.match), o.where.empty() ? "" : " with " + o.where));
  }
  return out;
}

}  // namespace tool
