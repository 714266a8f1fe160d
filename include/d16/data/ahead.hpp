// Ahead, Prefetched: the next batch is made by another thread, and sent to a GPU from page-locked memory, while one
// trains on this one.
#pragma once
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "loader.hpp"

namespace d16::data {

/// for (B& batch : data::Prefetched<B>(make, "cuda")) ...   The batches that make(B&) makes, until it says false, on the
/// device. B is copied and has tensors(), pointers to all of its tensors, as data::Batch has.
/// On a CUDA device another thread makes them, one batch ahead: make() touches nothing that the loop changes, the default
/// generator neither. On a device of the host they are made when the loop asks for them: no core is idle there.
/// Errors   what make() throws, in the loop.
template <class B> class Prefetched {
 public:
  using Make = std::function<bool(B&)>;

  Prefetched(Make make, Device device) : make_(std::move(make)), device_(device) {}
  Prefetched(Prefetched const&) = delete;
  Prefetched& operator=(Prefetched const&) = delete;
  ~Prefetched() { stop(); }

  struct End {};
  class Iterator {
   public:
    explicit Iterator(Prefetched* all) : all_(all) { ++*this; }
    B& operator*() const { return all_->batch_; }
    Iterator& operator++() {
      if (!all_->take()) all_ = nullptr;
      return *this;
    }
    friend bool operator==(Iterator const& i, End) { return !i.all_; }

   private:
    Prefetched* all_;
  };
  Iterator begin() {
    stop();
    if (has_machine()) thread_ = std::thread([this] { work(); });
    return Iterator(this);
  }
  End end() const { return {}; }

  /// Makes no more batches; what was made and not taken is lost.
  void stop() {
    if (!thread_.joinable()) return;
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
      changed_.notify_all();
    }
    thread_.join();
    waiting_.reset();
    stopped_ = finished_ = false;
  }

 private:
  /// A CUDA device, or the emulator, which does the same.
  bool has_machine() const { return machine_of(device_).allocate != nullptr; }

  /// The other thread: one batch waits while the next is made.
  void work() {
    try {
      if (machine_of(device_).own_stream) machine_of(device_).own_stream(device_.index);
      for (B batch; make_(batch);) {
        for (Tensor* x : batch.tensors()) *x = sent(*x);
        if (machine_of(device_).finish) machine_of(device_).finish(device_.index);
        if (!give(std::exchange(batch, B()))) return;
      }
    } catch (...) {
      std::lock_guard lock(mutex_);
      error_ = std::current_exception();
    }
    std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_all();
  }
  bool give(B batch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !waiting_ || stopped_; });
    if (stopped_) return false;
    waiting_ = std::move(batch);
    changed_.notify_all();
    return true;
  }
  bool take() {
    if (!has_machine()) return take_here();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ || finished_; });
    if (waiting_) {
      batch_ = std::move(*waiting_);
      waiting_.reset();
      changed_.notify_all();
      return true;
    }
    lock.unlock();
    stop();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return false;
  }
  bool take_here() {
    B batch;
    if (!make_(batch)) return false;
    for (Tensor* x : batch.tensors()) *x = x->to(device_);
    batch_ = std::move(batch);
    return true;
  }

  /// x on the device: through page-locked memory, which is asked for once for each shape.
  Tensor sent(Tensor const& x) {
    if (x.device() == device_ || !machine_of(device_).allocate_pinned) return x.to(device_);
    Tensor& pinned = pinned_[x.shape().text() + name_of(x.dtype())];
    if (!pinned.defined()) pinned = pinned_like(x);
    pinned.assign(x.contiguous());
    return pinned.to(device_);
  }
  Tensor pinned_like(Tensor const& x) const {
    size_t const bytes = size_t(x.numel() * size_of(x.dtype()));
    auto const release = [machine = &machine_of(device_)](d16::detail::Storage* storage) {
      machine->release_pinned(storage->data);
      delete storage;
    };
    std::shared_ptr<d16::detail::Storage> storage(
        new d16::detail::Storage(machine_of(device_).allocate_pinned(bytes), bytes), release);
    return Tensor::make(x.shape(), {.dtype = x.dtype(), .device = Device()}, std::move(storage));
  }

  Make make_;
  Device device_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<B> waiting_;
  bool stopped_ = false, finished_ = false;
  std::exception_ptr error_;
  B batch_;
  std::map<std::string, Tensor> pinned_;
};

/// for (Batch& batch : data::Ahead(loader, "cuda")) ...   The batches of the loader, in its order, on the device.
/// A loop uses the loader, which must outlive it; state() and restore() are as those of the loader, for what was handed out.
/// With prepare(batch, state) a batch becomes another one before it is sent; `state`, the loader's behind this batch, says
/// which one it is, so that its random numbers can follow from that.
/// Errors   what the loader and prepare() throw, in the loop.
class Ahead {
  struct Made {
    Batch batch = {};
    Loader::State state = {};
    std::vector<Tensor*> tensors() { return batch.tensors(); }
  };

 public:
  using Prepare = std::function<Batch(Batch const&, Loader::State)>;

  Ahead(Loader& loader, Device device, Prepare prepare = {})
      : loader_(&loader), prepare_(std::move(prepare)), made_([this](Made& made) { return make(made); }, device) {}
  Ahead(Loader&&, Device, Prepare = {}) = delete;
  Ahead(Ahead const&) = delete;
  Ahead& operator=(Ahead const&) = delete;

  int64_t batches() const { return loader_->batches(); }
  /// Taken inside the loop: what restore() needs to go on with the next batch.
  Loader::State state() const { return state_ ? *state_ : loader_->state(); }
  void restore(Loader::State state) {
    stop();
    loader_->restore(state);
  }

  class Iterator {
   public:
    explicit Iterator(Ahead* ahead) : ahead_(ahead), at_(ahead->made_.begin()) { note(); }
    Batch& operator*() const { return (*at_).batch; }
    Iterator& operator++() {
      ++at_;
      note();
      return *this;
    }
    friend bool operator==(Iterator const& i, Loader::End) { return i.at_ == Source::End(); }

   private:
    using Source = Prefetched<Made>;
    void note() {
      if (at_ == Source::End()) ahead_->state_.reset();
      else ahead_->state_ = (*at_).state;
    }
    Ahead* ahead_;
    Source::Iterator at_;
  };
  Iterator begin() {
    stop();
    return Iterator(this);
  }
  Loader::End end() const { return {}; }

 private:
  bool make(Made& made) {
    if (at_) ++*at_;
    else at_ = loader_->begin();
    if (*at_ == Loader::End()) return at_.reset(), false;
    made = {**at_, loader_->state()};
    if (prepare_) made.batch = prepare_(made.batch, made.state);
    return true;
  }
  void stop() {
    made_.stop();
    at_.reset(), state_.reset();
  }

  Loader* loader_;
  Prepare prepare_;
  std::optional<Loader::Iterator> at_;
  std::optional<Loader::State> state_;
  Prefetched<Made> made_;
};

}  // namespace d16::data
