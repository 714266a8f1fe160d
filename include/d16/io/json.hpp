// Strict JSON (RFC 8259): one value, one parser, one writer, made with the standard library only.
// It is ours and not a library because d16.hpp must need nothing but a C++20 compiler, and the description of a
// network lives as JSON in the metadata of its weights. Programs use this one too, so that there is one JSON.
#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../core/error.hpp"
#include "utf8.hpp"

namespace d16::io {

/// What a hostile text may cost: beyond this the parser gives up with a FileError.
struct JsonLimits {
  int depth = 100;
  int64_t values = 10'000'000;
};

/// A JSON value. Objects keep the order of their members. Integers are exact in 64 bits (object ids are), and a real
/// stays a real when it is written and read again: 2.0 is written "2.0", and every double comes back bit by bit.
///   Json config = Json::object({{"group", "D8"}, {"widths", Json::array({12, 24})}});
///   config["lr"] = 1e-3;
///   double lr = parse_json(config.dump(), "config").number("lr");
/// Errors   ValueError for a value of another kind or a missing key; the message has the key and what is there.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  ///< null
  Json(std::nullptr_t) {}
  template <class T>
  requires std::is_arithmetic_v<T> Json(T value) {
    if constexpr (std::is_same_v<T, bool>) value_ = value;
    else if constexpr (std::is_floating_point_v<T>) value_ = double(value);
    else {
      require<ValueError>(std::in_range<int64_t>(value), "json: ", value, " does not fit 64 bits with a sign");
      value_ = int64_t(value);
    }
  }
  Json(char const* text) : value_(std::string(text)) {}
  Json(std::string_view text) : value_(std::string(text)) {}
  Json(std::string text) : value_(std::move(text)) {}
  Json(Array items) : value_(std::move(items)) {}
  Json(Object members) : value_(std::move(members)) {}
  template <class T>
  requires(!std::is_same_v<T, Json> && !std::is_same_v<T, Member>) Json(std::vector<T> const& items)
      : value_(Array(items.begin(), items.end())) {}

  static Json array(std::initializer_list<Json> items) { return Array(items); }
  static Json object(std::initializer_list<Member> members) { return Object(members); }

  bool is_null() const { return value_.index() == 0; }
  bool is_boolean() const { return std::holds_alternative<bool>(value_); }
  bool is_integer() const { return std::holds_alternative<int64_t>(value_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  // This value as C++. A whole real such as 1e3 is an integer too.
  bool boolean() const { return as<bool>("json", "true or false"); }
  int64_t integer() const { return as_integer("json"); }
  double number() const { return as_number("json"); }
  std::string const& string() const { return as<std::string>("json", "a string"); }
  Array const& array() const { return as<Array>("json", "an array"); }
  Object const& object() const { return as<Object>("json", "an object"); }

  // A member as C++: config.number("lr").
  bool boolean(std::string_view key) const { return at(key).as<bool>(quoted(key), "true or false"); }
  int64_t integer(std::string_view key) const { return at(key).as_integer(quoted(key)); }
  double number(std::string_view key) const { return at(key).as_number(quoted(key)); }
  std::string const& string(std::string_view key) const { return at(key).as<std::string>(quoted(key), "a string"); }

  /// The member of that name, or null when there is none.
  Json const* find(std::string_view key) const {
    for (Member const& member : object())
      if (member.first == key) return &member.second;
    return nullptr;
  }
  bool has(std::string_view key) const { return find(key) != nullptr; }
  Json const& at(std::string_view key) const {
    Json const* found = find(key);
    require<ValueError>(found, "json: no key \"", key, "\"; it has ", keys());
    return *found;
  }
  /// The member of that name, made when there is none; null becomes an object.
  Json& operator[](std::string_view key) {
    if (is_null()) value_ = Object();
    require<ValueError>(is_object(), "json: ", kind(), " has no members; only an object has");
    Object& members = std::get<Object>(value_);
    for (Member& member : members)
      if (member.first == key) return member.second;
    return members.emplace_back(std::string(key), Json()).second;
  }
  /// Adds to an array; null becomes one.
  void push_back(Json value) {
    if (is_null()) value_ = Array();
    require<ValueError>(is_array(), "json: ", kind(), " cannot grow; only an array can");
    std::get<Array>(value_).push_back(std::move(value));
  }

  /// The text: one line, or indented by `indent` spaces per level. Bytes that are not UTF-8 become U+FFFD.
  /// Errors   ValueError for NaN and infinities, which JSON does not have.
  std::string dump(int indent = 0) const {
    std::string out;
    write(out, indent, 0);
    return out;
  }

  friend bool operator==(Json const& a, Json const& b) { return a.value_ == b.value_; }

 private:
  static std::string quoted(std::string_view key) { return d16::text("json: \"", key, '"'); }

  template <class T> T const& as(std::string_view what, char const* needed) const {
    T const* value = std::get_if<T>(&value_);
    require<ValueError>(value, what, " is ", kind(), "; ", needed, " is needed");
    return *value;
  }
  double as_number(std::string_view what) const {
    return is_integer() ? double(std::get<int64_t>(value_)) : as<double>(what, "a number");
  }
  int64_t as_integer(std::string_view what) const {
    if (is_integer()) return std::get<int64_t>(value_);
    double value = as<double>(what, "an integer");
    require<ValueError>(value == std::floor(value) && std::abs(value) <= 0x1p53, what, " is ", value,
                        "; an integer is needed");
    return int64_t(value);
  }

  std::string kind() const {
    if (is_null()) return "null";
    if (is_boolean()) return "a boolean";
    if (is_number()) return "a number";
    if (is_array()) return "an array";
    if (is_object()) return "an object";
    std::string const& s = std::get<std::string>(value_);
    return s.size() <= 40 ? d16::text("the string \"", s, '"') : d16::text("a string of ", s.size(), " bytes");
  }
  std::string keys() const {
    std::string out;
    size_t shown = 0;
    for (Member const& member : object()) {
      if (++shown > 20) return out + ", ...";
      out += (shown > 1 ? ", " : "") + member.first;
    }
    return out.empty() ? "none" : out;
  }

  void write(std::string& out, int indent, int depth) const {
    if (is_null()) out += "null";
    else if (is_boolean()) out += std::get<bool>(value_) ? "true" : "false";
    else if (is_integer()) out += std::to_string(std::get<int64_t>(value_));
    else if (is_number()) write_real(out, std::get<double>(value_));
    else if (is_string()) write_string(out, std::get<std::string>(value_));
    else if (is_array()) write_list(out, std::get<Array>(value_), "[]", indent, depth);
    else write_list(out, std::get<Object>(value_), "{}", indent, depth);
  }
  static void write_item(std::string& out, Json const& item, int indent, int depth) { item.write(out, indent, depth); }
  static void write_item(std::string& out, Member const& item, int indent, int depth) {
    write_string(out, item.first);
    out += indent ? ": " : ":";
    item.second.write(out, indent, depth);
  }
  template <class List>
  static void write_list(std::string& out, List const& list, char const* brackets, int indent, int depth) {
    out += brackets[0];
    auto new_line = [&](int level) {
      if (indent && !list.empty()) out.append(1, '\n').append(size_t(indent * level), ' ');
    };
    bool first = true;
    for (auto const& item : list) {
      if (!first) out += ',';
      first = false;
      new_line(depth + 1);
      write_item(out, item, indent, depth + 1);
    }
    new_line(depth);
    out += brackets[1];
  }
  static void write_real(std::string& out, double value) {
    require<ValueError>(std::isfinite(value), "json: ", value, " cannot be written; JSON has finite numbers only");
    char buffer[32];
    std::string_view digits(buffer, size_t(std::to_chars(buffer, buffer + sizeof buffer, value).ptr - buffer));
    out += digits;
    if (digits.find_first_of(".e") == digits.npos) out += ".0";
  }
  static void write_string(std::string& out, std::string_view s) {
    out += '"';
    while (!s.empty()) {
      size_t length = utf8_length(s);
      unsigned char c = static_cast<unsigned char>(s[0]);
      if (length == 0) out += "\uFFFD";
      else if (c == '"' || c == '\\') out.append(1, '\\').append(1, s[0]);
      else if (c == '\n') out += "\\n";
      else if (c == '\t') out += "\\t";
      else if (c < 0x20) out.append("\\u00").append(1, "01"[c >> 4]).append(1, "0123456789abcdef"[c & 15]);
      else out += s.substr(0, length);
      s.remove_prefix(std::max<size_t>(length, 1));
    }
    out += '"';
  }

  std::variant<std::nullptr_t, bool, int64_t, double, std::string, Array, Object> value_{nullptr};
};

namespace detail {

/// Recursive descent over the whole text; `source` names it in messages.
class JsonParser {
 public:
  JsonParser(std::string_view text, std::string_view source, JsonLimits limits)
      : text_(text), source_(source), limits_(limits) {}

  Json parse() {
    Json value = parse_value(0);
    skip_space();
    check(at_ == text_.size(), "the value ends before this; nothing may follow it");
    return value;
  }

 private:
  void check(bool condition, char const* what) const {
    if (condition) return;
    size_t end = std::min(at_, text_.size());
    std::string_view before = text_.substr(0, end);
    auto line = std::count(before.begin(), before.end(), '\n') + 1;
    size_t column = end - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
    throw FileError(d16::text(source_, " line ", line, " column ", column, ": ", what));
  }
  void skip_space() { at_ = std::min(text_.size(), text_.find_first_not_of(" \t\r\n", at_)); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  Json word(std::string_view spelling, Json value) {
    check(text_.substr(at_, spelling.size()) == spelling, "not a JSON value; only true, false and null are bare words");
    at_ += spelling.size();
    return value;
  }

  Json parse_value(int depth) {
    skip_space();
    check(at_ < text_.size(), "the text ends where a value is needed; it is truncated");
    check(depth < limits_.depth, "nested too deeply for a sane file");
    check(++values_ <= limits_.values, "more values than a sane file has");
    switch (peek()) {
      case '{': return parse_object(depth);
      case '[': return parse_array(depth);
      case '"': return parse_string();
      case 't': return word("true", true);
      case 'f': return word("false", false);
      case 'n': return word("null", nullptr);
      default: return parse_number();
    }
  }

  Json parse_array(int depth) {
    Json::Array items;
    ++at_;
    skip_space();
    if (take(']')) return items;
    do {
      items.push_back(parse_value(depth + 1));
      skip_space();
    } while (take(','));
    check(take(']'), "',' or ']' is needed");
    return items;
  }

  Json parse_object(int depth) {
    Json::Object members;
    ++at_;
    skip_space();
    if (take('}')) return members;
    do {
      skip_space();
      check(peek() == '"', "a key in double quotes is needed");
      std::string key = parse_string();
      skip_space();
      check(take(':'), "':' is needed after a key");
      members.emplace_back(std::move(key), parse_value(depth + 1));
      skip_space();
    } while (take(','));
    check(take('}'), "',' or '}' is needed");
    check_unique(members);
    return members;
  }
  void check_unique(Json::Object const& members) const {
    std::vector<std::string_view> keys;
    for (Json::Member const& member : members) keys.push_back(member.first);
    std::sort(keys.begin(), keys.end());
    check(std::adjacent_find(keys.begin(), keys.end()) == keys.end(), "the object that ends here has a key twice");
  }

  Json parse_number() {
    size_t begin = at_;
    take('-');
    if (!take('0')) check(skip_digits(), "not a JSON value");
    bool real = false;
    if (take('.')) {
      real = true;
      check(skip_digits(), "a digit is needed after the point");
    }
    if (take('e') || take('E')) {
      real = true;
      if (!take('+')) take('-');
      check(skip_digits(), "a digit is needed in the exponent");
    }
    std::string_view digits = text_.substr(begin, at_ - begin);
    char const* end = digits.data() + digits.size();
    int64_t integer = 0;
    bool whole = !real && digits != "-0" && std::from_chars(digits.data(), end, integer).ec == std::errc();
    if (whole) return integer;
    double value = 0;
    check(std::from_chars(digits.data(), end, value).ec == std::errc(), "this number is beyond the range of a double");
    return value;
  }
  bool skip_digits() {
    size_t begin = at_;
    at_ = std::min(text_.size(), text_.find_first_not_of("0123456789", at_));
    return at_ > begin;
  }

  std::string parse_string() {
    std::string out;
    ++at_;
    while (!take('"')) {
      check(at_ < text_.size(), "the text ends inside a string; it is truncated");
      size_t length = utf8_length(text_.substr(at_));
      check(length > 0, "this byte is not UTF-8");
      check(static_cast<unsigned char>(peek()) >= 0x20, "a control character in a string; write it as an escape");
      if (take('\\')) parse_escape(out);
      else {
        out += text_.substr(at_, length);
        at_ += length;
      }
    }
    return out;
  }
  void parse_escape(std::string& out) {
    static constexpr std::string_view letters = "\"\\/bfnrt", meaning = "\"\\/\b\f\n\r\t";
    size_t letter = at_ < text_.size() ? letters.find(text_[at_]) : letters.npos;
    if (letter != letters.npos) {
      ++at_;
      out += meaning[letter];
      return;
    }
    check(take('u'), "not an escape; after \\ comes one of \" \\ / b f n r t u");
    uint32_t code = parse_hex();
    check(code < 0xDC00 || code > 0xDFFF, "the second half of a surrogate pair without the first");
    if (code >= 0xD800 && code <= 0xDBFF) {
      bool second = take('\\') && take('u');
      uint32_t low = second ? parse_hex() : 0;
      check(low >= 0xDC00 && low <= 0xDFFF, "the first half of a surrogate pair without the second");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(out, code);
  }
  uint32_t parse_hex() {
    uint32_t code = 0;
    std::string_view digits = text_.substr(at_, 4);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    check(digits.size() == 4 && end == digits.data() + 4 && error == std::errc(), "four hexadecimal digits are needed");
    at_ += 4;
    return code;
  }

  std::string_view text_, source_;
  JsonLimits limits_;
  size_t at_ = 0;
  int64_t values_ = 0;
};

}  // namespace detail

/// Reads exactly one JSON value from `text`. `source` (a file's name) opens every message.
/// Errors   FileError with line and column: not RFC 8259, not UTF-8, a key twice, a number beyond double, too deep.
inline Json parse_json(std::string_view text, std::string_view source, JsonLimits limits = {}) {
  return detail::JsonParser(text, source, limits).parse();
}

}  // namespace d16::io
