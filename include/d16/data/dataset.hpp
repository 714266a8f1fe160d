// Images with labels in memory, and how they are divided into training, validation and test sets.
#pragma once
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "../core/random.hpp"
#include "../core/tensor.hpp"
#include "../ops/views.hpp"
#include "crc32.hpp"

namespace d16::data {

/// An item that could not be used, and why.
struct Flagged {
  std::string id, reason;
};

/// The SDSS field of an object: objid >> 16. Cutouts of one field can overlap.
/// Errors   ValueError when the id is no positive integer.
inline int64_t sdss_field(std::string const& objid) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(objid.data(), objid.data() + objid.size(), value);
  require<ValueError>(error == std::errc() && end == objid.data() + objid.size() && value > 0, "sdss_field: \"", objid,
                      "\" is no SDSS objID; a positive integer is needed");
  return value >> 16;
}

/// 0 is the test set, 1 validation, 2 to 4 training: crc32 of the decimal field number, mod 5. Everybody who follows
/// this rule tests on the same objects.
inline int field_part(std::string const& objid) { return int(crc32(std::to_string(sdss_field(objid))) % 5); }

struct ThreeParts;

/// N pictures of the same size with a class each.
struct Dataset {
  Tensor images = {};                     ///< (N,H,W,C) uint8 (0..255 for 0..1) or float32
  Tensor labels = {};                     ///< (N) int64; -1 is "no label"
  std::vector<std::string> ids = {};      ///< one for each item
  std::vector<std::string> classes = {};  ///< the name of each class
  /// The side of the central square that networks see; the rest is a margin, so that turned images have real corners.
  /// 0: the whole image.
  int64_t visible = 0;
  std::vector<Flagged> flagged = {};             ///< items that were listed but are not in images
  std::map<std::string, int64_t> left_out = {};  ///< classes that no label stands for, with their numbers of items

  int64_t size() const { return labels.defined() ? labels.numel() : 0; }
  int64_t height() const { return visible ? visible : images.dim(1); }
  int64_t width() const { return visible ? visible : images.dim(2); }
  int64_t channels() const { return images.dim(3); }
  int64_t label(int64_t item) const { return labels.host<int64_t>()[size_t(item)]; }
  /// Items are read as rows of host memory, so nothing else may pass.
  /// Errors   ShapeError, DeviceError: what is wrong with images or labels.
  void check() const {
    require<ShapeError>(images.rank() == 4 && images.dim(0) == size() && labels.rank() == 1, "data set: images ",
                        images.shape(), " and labels ", labels.shape(), "; (N,H,W,C) and (N) are needed");
    for (auto const& [name, x] : {std::pair("images", &images), std::pair("labels", &labels)}) {
      require<DeviceError>(x->device().is_host(), "data set: the ", name, " are on ", x->device(),
                           "; use to(\"cpu\") first");
      require<ShapeError>(x->is_contiguous(), "data set: the ", name, " are a strided view of shape ", x->shape(),
                          "; use contiguous() first");
    }
  }

  /// The number of items of each class.
  std::vector<int64_t> class_counts() const {
    std::vector<int64_t> counts(classes.size());
    for (int64_t i = 0; i < size(); ++i)
      if (label(i) >= 0) ++counts.at(size_t(label(i)));
    return counts;
  }
  /// "elliptical 1674, disk 683".
  std::string class_counts_text() const {
    std::string out;
    std::vector<int64_t> counts = class_counts();
    for (size_t k = 0; k < counts.size(); ++k) out += text(k ? ", " : "", classes[k], " ", counts[k]);
    return out;
  }

  /// A copy of some items, in the given order.
  Dataset subset(std::vector<int64_t> const& items) const {
    check();
    Shape shape = images.shape();
    shape[0] = int64_t(items.size());
    Dataset out{empty(shape, images.like()), empty({shape[0]}, labels.like()), {}, classes, visible};
    size_t bytes = size_t(images.numel() / std::max<int64_t>(size(), 1) * size_of(images.dtype()));
    for_dtype(images.dtype(), [&]<class T>(T) {
      char const* from = reinterpret_cast<char const*>(images.data<T>());
      char* to = reinterpret_cast<char*>(out.images.data<T>());
      for (size_t i = 0; i < items.size(); ++i) {
        require<ValueError>(items[i] >= 0 && items[i] < size(), "subset: item ", items[i], " of ", size());
        std::memcpy(to + i * bytes, from + size_t(items[i]) * bytes, bytes);
        out.labels.data<int64_t>()[i] = label(items[i]);
        out.ids.push_back(ids[size_t(items[i])]);
      }
    });
    return out;
  }

  /// {training set, test set}, drawn at random; `fraction` of the items is for the test, rounded.
  /// Deterministic for a seed. Errors   ValueError unless 0 <= fraction <= 1.
  std::pair<Dataset, Dataset> split(double fraction, uint64_t seed = 0) const {
    require<ValueError>(fraction >= 0 && fraction <= 1, "split: fraction is ", fraction, "; it lies in [0, 1]");
    std::vector<int64_t> order(static_cast<size_t>(size()));
    std::iota(order.begin(), order.end(), 0);
    Random random(seed);
    for (int64_t i = size() - 1; i > 0; --i) std::swap(order[size_t(i)], order[size_t(random.integer(i + 1))]);
    auto cut = order.begin() + std::ptrdiff_t(fraction * double(size()) + 0.5);
    std::sort(order.begin(), cut);
    std::sort(cut, order.end());
    return {subset({cut, order.end()}), subset({order.begin(), cut})};
  }

  /// Parts by the SDSS field in the ids (see field_part), so that overlapping cutouts stay together.
  ThreeParts split_by_field() const;
};

struct ThreeParts {
  Dataset train, validation, test;
};

inline ThreeParts Dataset::split_by_field() const {
  std::vector<int64_t> parts[3];
  for (int64_t i = 0; i < size(); ++i) parts[std::min(field_part(ids[size_t(i)]), 2)].push_back(i);
  return {subset(parts[2]), subset(parts[1]), subset(parts[0])};
}

}  // namespace d16::data
