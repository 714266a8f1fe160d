// HDF5 files, read only: their datasets and parts of them as tensors. Link libhdf5 (d16::hdf5).
#pragma once
#include <hdf5.h>

#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/tensor.hpp"
#include "../ops/views.hpp"
#include "read_file.hpp"

namespace d16::io {

/// One array in a file.
struct Hdf5Dataset {
  std::string name;  ///< with its groups: "images", "train/images"
  Shape shape;
  DType dtype = DType::f32;  ///< that it is read as; integers other than bytes are int64
};

struct Hdf5Limits {
  int64_t max_bytes = int64_t(4) << 30;  ///< of one read; larger ones are refused before memory is taken
  int max_datasets = 10'000;
};

namespace detail {

/// A handle of HDF5 that is closed when it goes.
class Hdf5Handle {
 public:
  Hdf5Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Hdf5Handle(Hdf5Handle const&) = delete;
  Hdf5Handle& operator=(Hdf5Handle const&) = delete;
  ~Hdf5Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }
  bool valid() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

}  // namespace detail

/// An open file. The library's ways of failing stay inside: it prints nothing.
/// Errors   FileError: not HDF5, truncated or damaged, no such dataset (the message lists them), too large.
class Hdf5File {
 public:
  explicit Hdf5File(std::string path, Hdf5Limits limits = {}) : path_(std::move(path)), limits_(limits) {
    InputFile file(path_);  // the usual messages for folders and files that are not there
    char start[8] = {};
    file.read(start, std::min<int64_t>(file.size(), 8));
    require<FileError>(std::string_view(start, 8) == std::string_view("\x89HDF\r\n\x1A\n", 8), path_,
                       ": does not begin as HDF5; it is empty, damaged or something else");
    std::lock_guard lock(one_at_a_time());
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    file_ = H5Fopen(path_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    require<FileError>(file_ >= 0, path_, ": cannot be opened as HDF5; it is truncated or damaged, fetch it again");
    try {
      list();
    } catch (...) {
      H5Fclose(file_);
      throw;
    }
  }
  Hdf5File(Hdf5File const&) = delete;
  Hdf5File& operator=(Hdf5File const&) = delete;
  ~Hdf5File() {
    std::lock_guard lock(one_at_a_time());
    H5Fclose(file_);
  }

  std::string const& path() const { return path_; }
  /// Those of numbers with at most eight axes, in the order of their names.
  std::vector<Hdf5Dataset> const& datasets() const { return datasets_; }
  Hdf5Dataset const& at(std::string const& name) const {
    std::string names;
    for (Hdf5Dataset const& d : datasets_) {
      if (d.name == name) return d;
      names += (names.empty() ? "" : ", ") + d.name;
    }
    throw FileError(text(path_, ": no dataset \"", name, "\"; it has ", names.empty() ? "none" : names));
  }

  /// Rows first .. first + count - 1 of a dataset, all of it for count = -1.
  /// Shapes   (count, ...) as in the file.     Units  those of the file.     Device  cpu.
  Tensor read(std::string const& name, int64_t first = 0, int64_t count = -1) const {
    Hdf5Dataset const& d = at(name);
    Shape shape = d.shape;
    require<FileError>(shape.rank() > 0, path_, ": dataset \"", name, "\" is a single number; an array is needed");
    if (count < 0) count = shape[0] - first;
    require<ValueError>(first >= 0 && count >= 0 && first + count <= shape[0], path_, ": rows ", first, " to ",
                        first + count, " of dataset \"", name, "\" with ", shape[0]);
    shape[0] = count;
    int64_t bytes = size_of(d.dtype);
    for (int64_t size : shape)
      require<FileError>(!__builtin_mul_overflow(bytes, size, &bytes) && bytes <= limits_.max_bytes, path_,
                         ": dataset \"", name, "\": ", shape, " is more than ", limits_.max_bytes,
                         " bytes; read it in parts (Hdf5Limits::max_bytes)");
    Tensor out = empty(shape, {.dtype = d.dtype, .device = Device(), .group = {}});
    if (out.numel() > 0) read_into(name, first, shape, out);
    return out;
  }

 private:
  /// The library of most distributions may not be entered by two threads.
  static std::mutex& one_at_a_time() {
    static std::mutex mutex;
    return mutex;
  }

  void read_into(std::string const& name, int64_t first, Shape const& shape, Tensor& out) const {
    std::lock_guard lock(one_at_a_time());
    detail::Hdf5Handle set(H5Dopen2(file_, name.c_str(), H5P_DEFAULT), H5Dclose);
    detail::Hdf5Handle space(set.valid() ? H5Dget_space(set) : -1, H5Sclose);
    hsize_t start[Shape::max_rank] = {hsize_t(first)}, count[Shape::max_rank] = {};
    for (int k = 0; k < shape.rank(); ++k) count[k] = hsize_t(shape[k]);
    detail::Hdf5Handle memory(H5Screate_simple(shape.rank(), count, nullptr), H5Sclose);
    bool fine = space.valid() && memory.valid() &&
                H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nullptr, count, nullptr) >= 0;
    for_dtype(out.dtype(), [&]<class T>(T) {
      fine = fine && H5Dread(set, memory_type(out.dtype()), memory, space, H5P_DEFAULT, out.data<T>()) >= 0;
    });
    require<FileError>(fine, path_, ": dataset \"", name,
                       "\" cannot be read; it is truncated or damaged, fetch it again");
  }

  static hid_t memory_type(DType dtype) {
    switch (dtype) {
      case DType::u8: return H5T_NATIVE_UINT8;
      case DType::f64: return H5T_NATIVE_DOUBLE;
      case DType::i64: return H5T_NATIVE_INT64;
      default: return H5T_NATIVE_FLOAT;
    }
  }

  void list() {
    // links that are no hard ones may lead out of the file
    auto visit = [](hid_t, char const* name, H5L_info_t const* info, void* self) -> herr_t {
      auto* file = static_cast<Hdf5File*>(self);
      if (info->type == H5L_TYPE_HARD) file->add(name);
      return int(file->datasets_.size()) > file->limits_.max_datasets ? -1 : 0;
    };
    herr_t status = H5Lvisit(file_, H5_INDEX_NAME, H5_ITER_INC, visit, this);
    require<FileError>(int(datasets_.size()) <= limits_.max_datasets, path_, ": has more than ", limits_.max_datasets,
                       " datasets (Hdf5Limits::max_datasets)");
    require<FileError>(status >= 0, path_,
                       ": its datasets cannot be listed; it is truncated or damaged, fetch it again");
  }

  void add(char const* name) {
    detail::Hdf5Handle set(H5Dopen2(file_, name, H5P_DEFAULT), H5Dclose);
    detail::Hdf5Handle space(set.valid() ? H5Dget_space(set) : -1, H5Sclose);
    detail::Hdf5Handle type(set.valid() ? H5Dget_type(set) : -1, H5Tclose);
    if (!space.valid() || !type.valid()) return;
    Hdf5Dataset d{name, {}, DType::f32};
    hsize_t sizes[H5S_MAX_RANK] = {};
    int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || rank > Shape::max_rank || H5Sget_simple_extent_dims(space, sizes, nullptr) < 0) return;
    for (int k = 0; k < rank; ++k) {
      if (sizes[k] > hsize_t(std::numeric_limits<int64_t>::max())) return;
      d.shape.push_back(int64_t(sizes[k]));
    }
    H5T_class_t kind = H5Tget_class(type);
    size_t bytes = H5Tget_size(type);
    if (kind == H5T_INTEGER) d.dtype = bytes == 1 && H5Tget_sign(type) == H5T_SGN_NONE ? DType::u8 : DType::i64;
    else if (kind == H5T_FLOAT) d.dtype = bytes > 4 ? DType::f64 : DType::f32;
    else return;  // text and records: no pictures
    datasets_.push_back(std::move(d));
  }

  std::string path_;
  Hdf5Limits limits_;
  hid_t file_ = -1;
  std::vector<Hdf5Dataset> datasets_;
};

}  // namespace d16::io
