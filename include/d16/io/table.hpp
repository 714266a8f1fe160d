// A table of named columns with units and comments: what catalogues are read into and written from.
#pragma once
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../core/error.hpp"

namespace d16::io {

struct ColumnInfo {
  std::string unit = {};     ///< as FITS writes them: "deg", "MJy/sr", "mag"; empty for plain numbers
  std::string comment = {};  ///< one sentence for the reader of the catalogue
};

struct Column {
  using Values = std::variant<std::vector<float>, std::vector<double>, std::vector<int32_t>, std::vector<int64_t>,
                              std::vector<bool>, std::vector<std::string>>;
  std::string name;
  Values values;
  ColumnInfo info;

  int64_t rows() const {
    return std::visit([](auto const& list) { return int64_t(list.size()); }, values);
  }
};

/// Columns of equal length, in order.
///   Table t;
///   t.column("id", ids).column("p_disk", p, {.comment = "probability of a disk"});
///   io::write_csv("catalog.csv", t);
///   std::vector<double> ra = io::read_csv("objects.csv").numbers("ra");
/// Unknown numbers are NaN. A table that was read knows its file, so that messages name it.
class Table {
 public:
  /// Adds a column of float, double, int32_t, int64_t, bool or std::string; the first sets the number of rows.
  /// Errors   ValueError for a name that is there already or another number of rows.
  template <class T> Table& column(std::string name, std::vector<T> values, ColumnInfo info = {}) {
    Column added{std::move(name), std::move(values), std::move(info)};
    require<ValueError>(!find(added.name), "table: column \"", added.name, "\" is there already; give another name");
    require<ValueError>(columns_.empty() || added.rows() == rows(), "table: column \"", added.name, "\" has ",
                        added.rows(), " rows; the table has ", rows());
    columns_.push_back(std::move(added));
    return *this;
  }

  int64_t rows() const { return columns_.empty() ? 0 : columns_[0].rows(); }
  std::vector<Column> const& columns() const { return columns_; }
  /// The column of that name, or null when there is none.
  Column const* find(std::string_view name) const {
    for (Column const& column : columns_)
      if (column.name == name) return &column;
    return nullptr;
  }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Errors   FileError: labels.csv: no column "class"; it has objid, type.
  Column const& at(std::string_view name) const {
    Column const* found = find(name);
    require<FileError>(found, source(), ": no column \"", name, "\"; it has ", names());
    return *found;
  }

  // A column as the type the caller needs. Text that is no such number is a FileError with its line; empty text is NaN
  // in numbers() and an error in integers(). Booleans count as 0 and 1.
  std::vector<double> numbers(std::string_view name) const {
    return convert<double>(name, [](auto const& value, double& out) {
      if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) out = double(value);
      else if (trimmed(value).empty()) out = std::numeric_limits<double>::quiet_NaN();
      else return parse(value, out);
      return true;
    });
  }
  std::vector<int64_t> integers(std::string_view name) const {
    return convert<int64_t>(name, [](auto const& value, int64_t& out) {
      using V = std::decay_t<decltype(value)>;
      if constexpr (std::is_integral_v<V>) out = int64_t(value);
      else if constexpr (std::is_floating_point_v<V>) {
        if (!(value == std::floor(value) && std::abs(double(value)) <= 0x1p53)) return false;
        out = int64_t(value);
      } else return parse(value, out);
      return true;
    });
  }
  std::vector<std::string> strings(std::string_view name) const {
    return convert<std::string>(name, [](auto const& value, std::string& out) {
      if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) out = text_of(value);
      else out = value;
      return true;
    });
  }

  /// The shortest decimal text that reads back as the same number; "" for NaN; true and false for bool.
  template <class T> static std::string text_of(T value) {
    if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
    else {
      if (value != value) return "";
      char buffer[48];
      return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
    }
  }

  /// "objid, class", for messages.
  std::string names() const {
    std::string out;
    for (Column const& column : columns_) out += (out.empty() ? "" : ", ") + column.name;
    return out.empty() ? "none" : out;
  }

  // For readers: the file, the line of each row in it, and what could not be taken over ("flux: 4 values per row").
  std::string const& source() const { return source_; }
  std::vector<std::string> const& left_out() const { return left_out_; }
  void set_source(std::string file, std::vector<int64_t> lines = {}) {
    source_ = std::move(file);
    lines_ = std::move(lines);
  }
  void leave_out(std::string what) { left_out_.push_back(std::move(what)); }
  /// "line 17" of a text file, "row 16" (the first is 1) of any other.
  std::string where(int64_t row) const {
    bool text_file = row < int64_t(lines_.size());
    return text_file ? d16::text("line ", lines_[size_t(row)]) : d16::text("row ", row + 1);
  }

 private:
  static std::string_view trimmed(std::string_view s) {
    size_t begin = s.find_first_not_of(" \t");
    return begin == s.npos ? std::string_view() : s.substr(begin, s.find_last_not_of(" \t") - begin + 1);
  }
  template <class T> static bool parse(std::string_view value, T& out) {
    std::string_view s = trimmed(value);
    if (s.size() > 1 && s[0] == '+' && s[1] != '-') s.remove_prefix(1);  // from_chars takes no plus
    auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), out);
    return error == std::errc() && end == s.data() + s.size();
  }
  template <class T, class Convert> std::vector<T> convert(std::string_view name, Convert one) const {
    std::vector<T> out(static_cast<size_t>(rows()));
    auto all = [&](auto const& values) {
      using V = typename std::decay_t<decltype(values)>::value_type;
      for (size_t i = 0; i < values.size(); ++i) {
        V const& value = values[i];
        if (one(value, out[i])) continue;
        std::string shown = Table().column("", std::vector<V>{value}).strings("")[0];
        throw FileError(d16::text(source_, " ", where(int64_t(i)), ": column \"", name, "\" has \"", shown, "\"; ",
                                  std::is_integral_v<T> ? "an integer" : "a number", " is needed"));
      }
    };
    std::visit(all, at(name).values);
    return out;
  }

  std::vector<Column> columns_;
  std::vector<int64_t> lines_;
  std::vector<std::string> left_out_;
  std::string source_ = "table";
};

}  // namespace d16::io
