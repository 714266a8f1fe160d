// Trees as JSON and back; what is read is checked so that no walk can leave a tree or go round in it.
#pragma once
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "../io/json.hpp"
#include "tree.hpp"

namespace d16::learn::detail {

/// The double with the fewest digits that rounds to this float32: half the size in a file.
inline double short_decimal(float value) {
  char buffer[32];
  char const* end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  double decimal = 0;
  std::from_chars(buffer, end, decimal);
  return decimal;
}

/// One list per field, in the order of the nodes.
inline io::Json tree_to_json(Tree const& tree) {
  std::vector<int64_t> feature, next, missing_left;
  std::vector<double> threshold, values;
  for (TreeNode const& node : tree.nodes) {
    feature.push_back(node.feature);
    threshold.push_back(short_decimal(node.threshold));
    next.push_back(node.next);
    missing_left.push_back(node.missing_left);
  }
  for (float value : tree.values) values.push_back(short_decimal(value));
  return io::Json::object({{"feature", feature},
                           {"threshold", threshold},
                           {"next", next},
                           {"missing_left", missing_left},
                           {"values", values}});
}

/// A number that rounds to a finite float32.
inline float json_float(io::Json const& value) {
  double number = value.number();
  require<ValueError>(std::abs(number) < 0x1.ffffffp127, "a number is ", number, "; it does not fit a float32");
  return float(number);
}

/// A number in low .. high.
inline int32_t json_index(io::Json const& value, char const* what, int64_t low, int64_t high) {
  int64_t number = value.integer();
  require<ValueError>(number >= low && number <= high, "a node's ", what, " is ", number, "; ", low, " to ", high,
                      " can be");
  return int32_t(number);
}

/// Errors   ValueError for anything that is not a tree of these sizes: a child that does not come after its parent, is
///          nobody's or has two parents, a feature or leaf that is not there, numbers beyond float32.
inline Tree tree_from_json(io::Json const& json, int64_t features, int64_t outputs) {
  auto const &feature = json.at("feature").array(), &threshold = json.at("threshold").array(),
             &next = json.at("next").array(), &missing_left = json.at("missing_left").array(),
             &values = json.at("values").array();
  auto count = int64_t(feature.size());
  require<ValueError>(count > 0 && count < int64_t(1) << 30 && threshold.size() == feature.size() &&
                          next.size() == feature.size() && missing_left.size() == feature.size(),
                      "a tree has lists of ", feature.size(), ", ", threshold.size(), ", ", next.size(), " and ",
                      missing_left.size(), " nodes; equal numbers, at least one, are needed");
  Tree tree{.outputs = outputs};
  for (io::Json const& value : values) tree.values.push_back(json_float(value));
  int64_t leaves = tree.leaves();
  require<ValueError>(leaves > 0 && leaves * outputs == int64_t(values.size()), "a tree has ", values.size(),
                      " values; a multiple of ", outputs, " is needed");
  std::vector<bool> has_parent(size_t(count), false);
  has_parent[0] = true;
  for (int64_t i = 0; i < count; ++i) {
    auto at = size_t(i);
    require<ValueError>(has_parent[at], "node ", i, " of a tree is nobody's child");
    TreeNode node;
    node.feature = json_index(feature[at], "feature", -1, features - 1);
    node.threshold = json_float(threshold[at]);
    node.missing_left = json_index(missing_left[at], "missing_left", 0, 1);
    bool leaf = node.feature < 0;
    node.next = json_index(next[at], leaf ? "leaf" : "child", leaf ? 0 : i + 1, leaf ? leaves - 1 : count - 2);
    for (size_t child = size_t(node.next); !leaf && child < size_t(node.next) + 2; ++child) {
      require<ValueError>(!has_parent[child], "node ", child, " of a tree has two parents");
      has_parent[child] = true;
    }
    tree.nodes.push_back(node);
  }
  return tree;
}

/// What every model of trees says of itself beside its trees.
struct TreesHeader {
  int64_t features = 0, classes = 0;
  std::vector<double> importance = {};
  std::vector<std::string> names = {};
};

/// Errors   ValueError: another format or version, numbers out of range, lists of other lengths.
inline TreesHeader trees_header(io::Json const& json, char const* format) {
  require<ValueError>(
      json.is_object() && json.has("format") && json.at("format").is_string() && json.string("format") == format,
      "this JSON does not hold ", format, "; its \"format\" is another one");
  require<ValueError>(json.integer("version") == 1, "version ", json.integer("version"),
                      " of the format; this program reads version 1");
  TreesHeader out{.features = json.integer("features"), .classes = json.integer("classes")};
  require<ValueError>(out.features > 0 && out.features <= 1'000'000 && out.classes > 1 && out.classes <= 10'000,
                      out.features, " features and ", out.classes, " classes; 1 to 1000000 and 2 to 10000 can be");
  for (io::Json const& value : json.at("importance").array()) out.importance.push_back(value.number());
  for (io::Json const& value : json.at("names").array()) out.names.push_back(value.string());
  require<ValueError>(int64_t(out.importance.size()) == out.features, out.importance.size(), " importances for ",
                      out.features, " features");
  require<ValueError>(out.names.empty() || int64_t(out.names.size()) == out.features, out.names.size(), " names for ",
                      out.features, " features");
  return out;
}

}  // namespace d16::learn::detail
