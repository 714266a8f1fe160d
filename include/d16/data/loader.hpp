// Batches from a Dataset: shuffled, turned, mirrored, moved, on all threads, the same for a seed.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "../vision/augment.hpp"
#include "dataset.hpp"

namespace d16::data {

struct LoaderOptions {
  int64_t batch = 64;
  bool shuffle = true;                ///< another order in each epoch
  bool augment = false;               ///< each image turned by any angle, mirrored or not, moved and zoomed at random
  double shift = 2;                   ///< with augment: up to so many pixels each way
  double zoom = 0;                    ///< with augment: larger or smaller by up to this fraction
  bool balanced = false;              ///< each class equally often, drawn anew in each epoch: rare items repeat
  bool drop_last = false;             ///< leaves out a last batch that is not full
  std::optional<uint64_t> seed = {};  ///< of order and augmentation; absent: from the default generator (manual_seed)
};

struct Batch {
  Tensor image;                                                ///< (N,H,W,C) float32, on the default device
  Tensor label;                                                ///< (N) int64
  std::vector<Tensor*> tensors() { return {&image, &label}; }  ///< all of them, for Prefetched and Trainer
};

/// for (auto& [image, label] : data::Loader(train, {.batch = 64, .augment = true})) ...
/// Each loop is one epoch. Seed and epoch determine every bit, whatever the number of threads.
/// The data set must outlive the loader.
class Loader {
 public:
  /// Where a run stands: `position` items of `epoch` were given out.
  struct State {
    uint64_t seed = 0;
    int64_t epoch = 0, position = 0;
  };

  explicit Loader(Dataset const& dataset, LoaderOptions const& o = {}) : dataset_(&dataset), o_(o) {
    require<ValueError>(o.batch > 0, "Loader: batch is ", o.batch, "; it must be positive");
    require<ValueError>(dataset.size() > 0, "Loader: the data set is empty");
    dataset.check();
    state_.seed = o.seed ? *o.seed : default_generator().next().stream * 0x9E3779B97F4A7C15u + default_generator().seed;
  }
  Loader(Dataset&&, LoaderOptions const& = {}) = delete;

  /// Batches in one epoch.
  int64_t batches() const {
    return o_.drop_last ? dataset_->size() / o_.batch : (dataset_->size() + o_.batch - 1) / o_.batch;
  }
  /// The items of the batch at hand, as indices into the data set.
  std::vector<int64_t> const& items() const { return items_; }

  /// Taken inside the loop: what restore() needs to go on with the next batch.
  State state() const { return state_; }
  /// The next loop goes on from there.
  void restore(State state) { state_ = state, resume_ = true; }

  struct End {};
  class Iterator {
   public:
    explicit Iterator(Loader* loader) : loader_(loader) { ++*this; }
    Batch& operator*() const { return loader_->batch_; }
    Iterator& operator++() {
      if (!loader_->advance()) loader_ = nullptr;
      return *this;
    }
    friend bool operator==(Iterator const& i, End) { return !i.loader_; }

   private:
    Loader* loader_;
  };

  /// Begins the next epoch, or goes on where restore() said.
  Iterator begin() {
    bool finished = state_.position >= batches() * o_.batch || state_.position >= dataset_->size();
    if ((!resume_ && started_) || finished) ++state_.epoch, state_.position = 0;
    resume_ = false, started_ = true;
    order_ = order();
    return Iterator(this);
  }
  End end() const { return {}; }

 private:
  /// The items of this epoch.
  std::vector<int64_t> order() const {
    Random random(state_.seed, uint64_t(state_.epoch));
    std::vector<int64_t> all(static_cast<size_t>(dataset_->size()));
    std::iota(all.begin(), all.end(), 0);
    if (o_.shuffle || o_.balanced)
      for (size_t i = all.size() - 1; i > 0; --i) std::swap(all[i], all[size_t(random.integer(int64_t(i + 1)))]);
    if (!o_.balanced) return all;
    std::map<int64_t, std::vector<int64_t>> by_class;
    for (int64_t item : all) by_class[dataset_->label(item)].push_back(item);
    std::vector<std::vector<int64_t>> pools;
    for (auto& [label, pool] : by_class) pools.push_back(std::move(pool));
    std::vector<size_t> used(pools.size());
    for (int64_t& item : all) {
      size_t k = size_t(random.integer(int64_t(pools.size())));
      item = pools[k][used[k]++ % pools[k].size()];
    }
    return all;
  }

  bool advance() {
    int64_t left = int64_t(order_.size()) - state_.position, n = std::min(o_.batch, left);
    if (n <= 0 || (o_.drop_last && n < o_.batch)) return false;
    items_.assign(order_.begin() + state_.position, order_.begin() + state_.position + n);
    batch_.label = empty({n}, {.dtype = DType::i64, .device = Device()});
    for (int64_t i = 0; i < n; ++i) batch_.label.data<int64_t>()[i] = dataset_->label(items_[size_t(i)]);
    Device::Kind where = default_device().kind;
    bool here = where == Device::Kind::cpu || where == Device::Kind::reference;
    batch_.image = here ? changed_here(n) : changed_there(n);
    batch_.label = batch_.label.to(default_device());
    state_.position += n;
    return true;
  }

  /// The images of the batch, made by the threads of the host.
  Tensor changed_here(int64_t n) {
    Dataset const& d = *dataset_;
    batch_.image = empty({n, d.height(), d.width(), d.channels()}, {.device = Device()});
    parallel_tasks(n, [&](int64_t i) {
      if (d.images.dtype() == DType::u8) read<uint8_t>(i, 1.0f / 255);
      else if (d.images.dtype() == DType::bf16) read<bf16>(i, 1);
      else read<float>(i, 1);
    });
    return batch_.image.to(default_device());
  }

  /// The same made on a GPU: what is sent are the items as they are, bytes a quarter as large as what is made of them.
  Tensor changed_there(int64_t n) const {
    Dataset const& d = *dataset_;
    Tensor items =
        empty({n, d.images.dim(1), d.images.dim(2), d.channels()}, {.dtype = d.images.dtype(), .device = Device()});
    int64_t values = items.numel() / n;
    for_dtype(items.dtype(), [&]<class T>(T) {
      parallel_tasks(n, [&](int64_t i) {
        std::copy_n(d.images.data<T>() + items_[size_t(i)] * values, values, items.data<T>() + i * values);
      });
    });
    vision::AugmentOptions o{.shift = o_.shift, .zoom = o_.zoom, .height = d.height(), .width = d.width()};
    if (!o_.augment) o.turn = o.mirror = false, o.shift = o.zoom = 0;
    return vision::augment(items.to(default_device()), o, {state_.seed, uint64_t(state_.epoch)}, state_.position);
  }

  template <class T> void read(int64_t i, float unit) {
    Dataset const& d = *dataset_;
    int64_t H = d.images.dim(1), W = d.images.dim(2), C = d.channels(), h = d.height(), w = d.width();
    vision::Motion motion;
    if (o_.augment) {
      // streams below 2^63 are the orders of the epochs
      Random random = vision::random_of_item(state_.seed, uint64_t(state_.epoch), uint64_t(state_.position + i));
      motion = vision::random_motion(random, {.shift = o_.shift, .zoom = o_.zoom});
    }
    vision::sample(d.images.data<T>() + items_[size_t(i)] * H * W * C, H, W, C, unit,
                   vision::Affine::about_centre(H, W, h, w, motion), batch_.image.data<float>() + i * h * w * C, h, w);
  }

  Dataset const* dataset_;
  LoaderOptions o_;
  State state_;
  bool resume_ = false, started_ = false;
  std::vector<int64_t> order_, items_;
  Batch batch_;
};

}  // namespace d16::data
