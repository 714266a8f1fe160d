// Ahead: the next batch is made by another thread, and sent to a GPU from page-locked memory, while one trains on this one.
#pragma once
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "loader.hpp"

namespace d16::data {

/// for (Batch& batch : data::Ahead(loader, "cuda")) ...   The batches of the loader, in its order, on the device.
/// A loop uses the loader, which must outlive it; state() and restore() are as those of the loader, for what was handed out.
/// Errors   what the loader throws, in the loop.
class Ahead {
 public:
  Ahead(Loader& loader, Device device) : loader_(&loader), device_(device) {}
  Ahead(Loader&&, Device) = delete;
  Ahead(Ahead const&) = delete;
  Ahead& operator=(Ahead const&) = delete;
  ~Ahead() { stop(); }

  int64_t batches() const { return loader_->batches(); }
  /// Taken inside the loop: what restore() needs to go on with the next batch.
  Loader::State state() const { return running() ? state_ : loader_->state(); }
  void restore(Loader::State state) {
    stop();
    loader_->restore(state);
  }

  class Iterator {
   public:
    explicit Iterator(Ahead* ahead) : ahead_(ahead) { ++*this; }
    Batch& operator*() const { return ahead_->batch_; }
    Iterator& operator++() {
      if (!ahead_->take()) ahead_ = nullptr;
      return *this;
    }
    friend bool operator==(Iterator const& i, Loader::End) { return !i.ahead_; }

   private:
    Ahead* ahead_;
  };
  Iterator begin() {
    stop();
    state_ = loader_->state();
    thread_ = std::thread([this] { work(); });
    return Iterator(this);
  }
  Loader::End end() const { return {}; }

 private:
  struct Made {
    Batch batch;
    Loader::State state;
  };
  bool running() const { return thread_.joinable(); }

  /// The other thread: one batch waits while the next is made.
  void work() {
    try {
      if (machine_of(device_).own_stream) machine_of(device_).own_stream(device_.index);
      for (Batch const& batch : *loader_) {
        Made made{{sent(batch.image), sent(batch.label)}, loader_->state()};
        if (machine_of(device_).finish) machine_of(device_).finish(device_.index);
        if (!give(std::move(made))) return;
      }
    } catch (...) {
      std::lock_guard lock(mutex_);
      error_ = std::current_exception();
    }
    std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_all();
  }
  bool give(Made made) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !waiting_ || stopped_; });
    if (stopped_) return false;
    waiting_ = std::move(made);
    changed_.notify_all();
    return true;
  }
  bool take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ || finished_; });
    if (waiting_) {
      batch_ = std::move(waiting_->batch), state_ = waiting_->state;
      waiting_.reset();
      changed_.notify_all();
      return true;
    }
    lock.unlock();
    stop();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return false;
  }
  void stop() {
    if (!running()) return;
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
      changed_.notify_all();
    }
    thread_.join();
    waiting_.reset();
    stopped_ = finished_ = false;
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

  Loader* loader_;
  Device device_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Made> waiting_;
  bool stopped_ = false, finished_ = false;
  std::exception_ptr error_;
  Batch batch_;
  Loader::State state_;
  std::map<std::string, Tensor> pinned_;
};

}  // namespace d16::data
