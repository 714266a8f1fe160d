// CSV as RFC 4180 has it: a strict reader that names lines, and a writer for catalogues.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "atomic_file.hpp"
#include "read_file.hpp"
#include "table.hpp"

namespace d16::io {

namespace detail {

/// Takes records off a CSV text one by one.
class CsvParser {
 public:
  CsvParser(std::string_view text, std::string_view source) : text_(text), source_(source) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);  // the mark that spreadsheets put first
  }

  int64_t line() const { return record_line_; }
  /// False at the end. Empty lines are passed over.
  bool next(std::vector<std::string>& fields) {
    while (at_ < text_.size() && end_of_line()) {}
    record_line_ = line_;
    if (at_ >= text_.size()) return false;
    fields.clear();
    do fields.push_back(text_.substr(at_, 1) == "\"" ? quoted() : plain());
    while (take(','));
    check(at_ >= text_.size() || end_of_line(), "text after a closing quote; double the quotes inside a field");
    return true;
  }

 private:
  void check(bool condition, char const* what) const {
    require<FileError>(condition, source_, " line ", record_line_, ": ", what);
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool end_of_line() {
    size_t length = text_.substr(at_, 2) == "\r\n" ? 2 : text_[at_] == '\n' || text_[at_] == '\r' ? 1 : 0;
    at_ += length;
    line_ += length > 0;
    return length > 0;
  }
  std::string plain() {
    size_t end = std::min(text_.size(), text_.find_first_of(",\r\n\"", at_));
    check(end == text_.size() || text_[end] != '"', "a quote inside a plain field; put the whole field in quotes");
    std::string field(text_.substr(at_, end - at_));
    at_ = end;
    return field;
  }
  std::string quoted() {
    std::string field;
    for (++at_;;) {
      size_t quote = text_.find('"', at_);
      check(quote != text_.npos, "the quote that opens a field here is never closed");
      std::string_view piece = text_.substr(at_, quote - at_);
      field += piece;
      line_ += std::count(piece.begin(), piece.end(), '\n');
      at_ = quote + 1;
      if (!take('"')) return field;
      field += '"';
    }
  }

  std::string_view text_, source_;
  size_t at_ = 0;
  int64_t line_ = 1, record_line_ = 1;
};

inline std::string csv_field(std::string const& field) {
  if (field.find_first_of(",\"\r\n") == field.npos) return field;
  std::string out = "\"";
  for (char c : field) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

}  // namespace detail

/// A CSV text with a header line as a table of strings: nothing is guessed, Table::numbers() and integers() convert
/// (19-digit object ids would not survive a guess). Quoted fields, CRLF, a byte-order mark and empty lines are fine.
/// Errors   FileError with the line: no header, a name twice, another number of fields than the header, bad quotes.
inline Table parse_csv(std::string_view text, std::string const& source) {
  require<FileError>(text.find('\0') == text.npos, source, ": has zero bytes; it is not a text file");
  detail::CsvParser parser(text, source);
  std::vector<std::string> header, fields;
  require<FileError>(parser.next(header), source, ": is empty; a header line with the names of the columns is needed");
  std::vector<std::vector<std::string>> columns(header.size());
  std::vector<int64_t> lines;
  while (parser.next(fields)) {
    require<FileError>(fields.size() == header.size(), source, " line ", parser.line(), ": ", fields.size(),
                       " fields; the header has ", header.size());
    for (size_t i = 0; i < fields.size(); ++i) columns[i].push_back(std::move(fields[i]));
    lines.push_back(parser.line());
  }
  Table table;
  for (size_t i = 0; i < header.size(); ++i) {
    require<FileError>(!table.has(header[i]), source, ": two columns are named \"", header[i], "\"; rename one");
    table.column(header[i], std::move(columns[i]));
  }
  table.set_source(source, std::move(lines));
  return table;
}

inline Table read_csv(std::string const& path) { return parse_csv(read_file(path), path); }

/// The table as CSV with a header line. Numbers in the shortest form that reads back exactly, NaN as an empty field
/// (a missing value to TOPCAT, astropy and pandas), booleans as true and false. Units and comments have no place here.
inline std::string csv_text(Table const& table) {
  std::vector<std::vector<std::string>> texts;
  for (Column const& column : table.columns()) {
    texts.push_back(table.strings(column.name));
    texts.back().insert(texts.back().begin(), column.name);
  }
  std::string out;
  for (size_t row = 0; row <= size_t(table.rows()) && !texts.empty(); ++row)
    for (size_t i = 0; i < texts.size(); ++i) {
      bool lone = texts.size() == 1 && texts[i][row].empty();  // else the record would be an empty line
      out += lone ? "\"\"" : detail::csv_field(texts[i][row]);
      out += i + 1 < texts.size() ? ',' : '\n';
    }
  return out;
}

inline void write_csv(std::string const& path, Table const& table) { write_file(path, csv_text(table)); }

}  // namespace d16::io
