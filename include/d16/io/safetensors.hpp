// .safetensors, the file of weights and of conformance cases: strict against hostile headers, written atomically.
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/tensor.hpp"
#include "../ops/views.hpp"
#include "atomic_file.hpp"
#include "json.hpp"
#include "read_file.hpp"
#include "read_tensor.hpp"

namespace d16::io {

/// What a .safetensors file holds: named tensors in order, and text about them.
struct TensorFile {
  std::map<std::string, std::string> metadata = {};
  std::vector<std::pair<std::string, Tensor>> tensors = {};
  std::string source = "tensors";  ///< the file, for messages

  Tensor const* find(std::string_view name) const {
    for (auto const& [key, tensor] : tensors)
      if (key == name) return &tensor;
    return nullptr;
  }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Errors   FileError: x.safetensors: no tensor "fc.bias"; it has 12, first "fc.weight".
  Tensor const& at(std::string_view name) const {
    Tensor const* found = find(name);
    require<FileError>(found, source, ": no tensor \"", name, "\"; it has ", tensors.size(), " tensors",
                       tensors.empty() ? "" : ", the first is \"" + tensors[0].first + '"');
    return *found;
  }
};

namespace detail {

struct SafeDType {
  std::string_view name;
  DType dtype;
};
inline constexpr SafeDType safe_dtypes[] = {{"F32", DType::f32}, {"F64", DType::f64}, {"BF16", DType::bf16},
                                            {"I64", DType::i64}, {"U8", DType::u8},   {"BOOL", DType::boolean}};

/// One line of the header: where a tensor lies in the data that follow it.
struct SafeEntry {
  std::string name;
  DType dtype{};
  Shape shape;
  int64_t begin = 0, end = 0;
};

inline constexpr int64_t safetensors_max_header = 100'000'000;

inline SafeEntry safe_entry(std::string const& path, std::string const& name, Json const& info) {
  auto check = [&](bool condition, auto const&... pieces) {
    require<FileError>(condition, path, ": tensor \"", name, "\": ", pieces...);
  };
  SafeEntry entry;
  entry.name = name;
  check(info.is_object() && info.object().size() == 3 && info.has("dtype") && info.has("shape") &&
            info.has("data_offsets"),
        "the header needs dtype, shape and data_offsets and nothing else");
  Json const &dtype = info.at("dtype"), &shape = info.at("shape"), &offsets = info.at("data_offsets");
  check(dtype.is_string() && shape.is_array() && offsets.is_array() && offsets.array().size() == 2,
        "dtype must be a string, shape a list, data_offsets two numbers");
  auto found = std::find_if(std::begin(safe_dtypes), std::end(safe_dtypes),
                            [&](SafeDType const& d) { return d.name == dtype.string(); });
  check(found != std::end(safe_dtypes), "dtype is ", dtype.string(),
        "; d16 reads F32 F64 BF16 I64 U8 BOOL: convert it where it was made");
  entry.dtype = found->dtype;
  check(shape.array().size() <= size_t(Shape::max_rank), "has ", shape.array().size(), " axes; at most 8 are read");
  int64_t bytes = size_of(entry.dtype);
  for (Json const& size : shape.array()) {
    check(size.is_integer() && size.integer() >= 0, "a size in shape is not a whole number from 0 up");
    entry.shape.push_back(size.integer());
    check(!__builtin_mul_overflow(bytes, size.integer(), &bytes), "shape ", shape.dump(), " is more than memory has");
  }
  for (Json const& offset : offsets.array()) check(offset.is_integer(), "data_offsets are not whole numbers");
  entry.begin = offsets.array()[0].integer();
  entry.end = offsets.array()[1].integer();
  check(entry.begin >= 0 && entry.end >= entry.begin, "data_offsets ", offsets.dump(), " are out of order");
  check(entry.end - entry.begin == bytes, "data_offsets ", offsets.dump(), " hold ", entry.end - entry.begin,
        " bytes; shape ", shape.dump(), " of ", dtype.string(), " needs ", bytes);
  return entry;
}

/// 0 .. count-1 in the order that `before` says; equals keep theirs.
template <class Before> std::vector<size_t> sorted_indices(size_t count, Before before) {
  std::vector<size_t> order(count);
  for (size_t i = 0; i < count; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), before);
  return order;
}

/// The tensors, taken in `order`, must cover the data from the first byte to the last, each byte once.
inline void check_cover(std::string const& path, std::vector<SafeEntry> const& entries,
                        std::vector<size_t> const& order, int64_t data_bytes) {
  int64_t covered = 0;
  for (size_t i : order) {
    SafeEntry const& entry = entries[i];
    require<FileError>(entry.end <= data_bytes, path, ": tensor \"", entry.name, "\" ends at byte ", entry.end,
                       " of the data, the file has ", data_bytes, "; it is truncated");
    require<FileError>(entry.begin == covered, path, ": tensor \"", entry.name, "\" begins at byte ", entry.begin,
                       " of the data, ", entry.begin < covered ? "inside another tensor" : "after a hole", "; byte ",
                       covered, " is needed");
    covered = entry.end;
  }
  require<FileError>(covered == data_bytes, path, ": ", data_bytes - covered,
                     " bytes follow the last tensor; none may");
}

}  // namespace detail

/// Reads a .safetensors file of F32, F64, BF16, I64, U8 and BOOL tensors; any other type is an error, not a conversion.
/// Shapes   as in the file (PyTorch's order of axes), at most 8 axes.   Device  cpu.
/// Errors   FileError for anything that is not exactly such a file: a header longer than the file or 100 MB, bad JSON,
///          names twice, unknown types, sizes that overflow, offsets out of range, overlaps, holes, bytes left over.
inline TensorFile read_safetensors(std::string const& path) {
  InputFile file(path);
  uint64_t length = 0;
  require<FileError>(file.size() >= 8, path, ": ", file.size(),
                     " bytes; it is empty, truncated or not a safetensors file");
  file.read(&length, 8);
  require<FileError>(length <= uint64_t(std::min(file.size() - 8, detail::safetensors_max_header)), path,
                     ": header says ", length, " bytes, the file has ", file.size(),
                     length <= uint64_t(file.size()) ? "; a header has at most 100 MB"
                                                     : "; it is truncated or not a safetensors file");
  std::string text(size_t(length), '\0');
  file.read(text.data(), int64_t(length));
  require<FileError>(text.starts_with('{'), path, ": the header is not JSON; it is not a safetensors file");
  Json header = parse_json(text, path + ": header");

  TensorFile out;
  out.source = path;
  std::vector<detail::SafeEntry> entries;
  for (auto const& [name, info] : header.object()) {
    if (name != "__metadata__") {
      entries.push_back(detail::safe_entry(path, name, info));
      out.tensors.emplace_back(name, Tensor());
      continue;
    }
    require<FileError>(info.is_object(), path, ": __metadata__ is not an object of strings");
    for (auto const& [key, value] : info.object()) {
      require<FileError>(value.is_string(), path, ": __metadata__ \"", key, "\" is not a string");
      out.metadata[key] = value.string();
    }
  }
  std::vector<size_t> order = detail::sorted_indices(entries.size(), [&](size_t a, size_t b) {
    return std::pair(entries[a].begin, entries[a].end) < std::pair(entries[b].begin, entries[b].end);
  });
  detail::check_cover(path, entries, order, file.size() - 8 - int64_t(length));
  for (size_t i : order)
    out.tensors[i].second =
        detail::read_tensor(file, "tensor \"" + entries[i].name + '"', entries[i].dtype, entries[i].shape);
  return out;
}

/// Writes tensors of any type and device; the header lists them in their order. The data lie widest type first and
/// begin at a multiple of 8 bytes, so that readers which map the file find every tensor aligned.
/// Errors   FileError when the file cannot be written; ValueError for a name given twice.
inline void write_safetensors(std::string const& path, TensorFile const& file) {
  auto width = [&](size_t i) { return size_of(file.tensors[i].second.dtype()); };
  std::vector<size_t> order =
      detail::sorted_indices(file.tensors.size(), [&](size_t a, size_t b) { return width(a) > width(b); });
  std::vector<int64_t> begin(order.size());
  int64_t end = 0;
  for (size_t i : order) {
    begin[i] = end;
    end += file.tensors[i].second.numel() * width(i);
  }

  Json::Object header;
  if (!file.metadata.empty()) {
    Json::Object metadata;
    for (auto const& [key, value] : file.metadata) metadata.emplace_back(key, value);
    header.emplace_back("__metadata__", std::move(metadata));
  }
  std::vector<std::string_view> names{"__metadata__"};
  for (size_t i = 0; i < order.size(); ++i) {
    auto const& [name, tensor] = file.tensors[i];
    names.push_back(name);
    auto spelling = std::find_if(std::begin(detail::safe_dtypes), std::end(detail::safe_dtypes),
                                 [dtype = tensor.dtype()](detail::SafeDType const& d) { return d.dtype == dtype; });
    Json::Array shape(tensor.shape().begin(), tensor.shape().end());
    header.emplace_back(
        name, Json::object({{"dtype", spelling->name},
                            {"shape", std::move(shape)},
                            {"data_offsets", Json::array({begin[i], begin[i] + tensor.numel() * width(i)})}}));
  }
  std::sort(names.begin(), names.end());
  auto twice = std::adjacent_find(names.begin(), names.end());
  require<ValueError>(twice == names.end(), path, ": tensor \"", twice == names.end() ? "" : *twice,
                      "\" is given twice or reserved; give another name");

  std::string text = Json(std::move(header)).dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  uint64_t length = text.size();
  AtomicFile out(path);
  out.write(&length, 8);
  out.write(text);
  for (size_t i : order) {
    Tensor tensor = file.tensors[i].second.detach().to(Device()).contiguous();
    for_dtype(tensor.dtype(), [&]<class T>(T) { out.write(tensor.data<T>(), size_t(tensor.numel()) * sizeof(T)); });
  }
  out.commit();
}

}  // namespace d16::io
