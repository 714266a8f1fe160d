// Tables of words between blanks with their names in a comment line, as EAZY and many catalogues have them.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "read_file.hpp"
#include "table.hpp"

namespace d16::io {

/// The first line that begins with '#' names the columns; other lines with '#' and empty ones are passed over. Nothing
/// is guessed: Table::numbers() and integers() convert.
/// Errors   FileError with the line: no names, a name twice, another number of words than names, no row.
inline Table parse_blank_table(std::string_view text, std::string const& source) {
  require<FileError>(text.find('\0') == text.npos, source, ": has zero bytes; it is not a text file");
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> columns;
  std::vector<int64_t> lines;
  int64_t number = 0;
  while (!text.empty()) {
    size_t end = std::min(text.size(), text.find('\n'));
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + 1));
    ++number;
    std::vector<std::string> words;
    for (size_t at = 0; (at = line.find_first_not_of(" \t\r", at)) != line.npos;) {
      size_t stop = std::min(line.size(), line.find_first_of(" \t\r", at));
      words.emplace_back(line.substr(at, stop - at));
      at = stop;
    }
    if (words.empty()) continue;
    if (words[0][0] == '#') {
      if (!names.empty()) continue;
      words[0].erase(0, 1);
      if (words[0].empty()) words.erase(words.begin());
      names = std::move(words);
      columns.resize(names.size());
      continue;
    }
    require<FileError>(!names.empty(), source, " line ", number,
                       ": no line with the names of the columns before it; it begins with '#'");
    require<FileError>(words.size() == names.size(), source, " line ", number, ": ", words.size(), " words; there are ",
                       names.size(), " columns");
    for (size_t i = 0; i < words.size(); ++i) columns[i].push_back(std::move(words[i]));
    lines.push_back(number);
  }
  require<FileError>(!lines.empty(), source, ": has no rows");
  Table table;
  for (size_t i = 0; i < names.size(); ++i) {
    require<FileError>(!table.has(names[i]), source, ": two columns are named \"", names[i], "\"; rename one");
    table.column(names[i], std::move(columns[i]));
  }
  table.set_source(source, std::move(lines));
  return table;
}

inline Table read_blank_table(std::string const& path) { return parse_blank_table(read_file(path), path); }

}  // namespace d16::io
