// Threads: one small pool for the whole process, and loops whose split depends on the shape only.
#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace d16 {

namespace detail {

/// Workers that wait for a job and take its tasks one by one; the caller takes tasks too.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  }
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }
  int size() const { return int(workers_.size()) + 1; }

  void run(int64_t tasks, void (*call)(void*, int64_t), void* context) {
    std::lock_guard one_job_at_a_time(job_mutex_);
    {
      std::lock_guard lock(mutex_);
      call_ = call;
      context_ = context;
      tasks_ = tasks;
      next_ = 0;
      error_ = nullptr;
      ++job_;
      busy_ = int(workers_.size());
    }
    wake_.notify_all();
    take_tasks();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void take_tasks() {
    inside() = true;
    for (int64_t task; (task = next_.fetch_add(1)) < tasks_;) try {
        call_(context_, task);
      } catch (...) {
        std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
        next_ = tasks_;
      }
    inside() = false;
  }
  void work(int number) {
    index() = number;
    uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stop_ || job_ != seen; });
      if (stop_) return;
      seen = job_;
      lock.unlock();
      take_tasks();
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

 public:
  /// True in a thread that runs a task: a loop inside a loop runs on its own thread.
  static bool& inside() {
    static thread_local bool flag = false;
    return flag;
  }
  static int& index() {
    static thread_local int number = 0;
    return number;
  }

 private:
  std::vector<std::thread> workers_;
  std::mutex job_mutex_, mutex_;
  std::condition_variable wake_, done_;
  void (*call_)(void*, int64_t) = nullptr;
  void* context_ = nullptr;
  std::atomic<int64_t> next_{0};
  int64_t tasks_ = 0;
  int busy_ = 0;
  uint64_t job_ = 0;
  bool stop_ = false;
  std::exception_ptr error_;
};

inline std::unique_ptr<Pool>& pool() {
  static std::unique_ptr<Pool> the_pool = std::make_unique<Pool>(std::max(1, int(std::thread::hardware_concurrency())));
  return the_pool;
}

}  // namespace detail

/// The number of threads that loops use. Results do not depend on it.
inline int threads() { return detail::pool()->size(); }

/// Which of them runs this task, 0 .. threads() - 1: for scratch memory, never for the split of work.
inline int thread_index() { return detail::Pool::index(); }

/// Sets the number of threads; 0 means one for each core. Not to be called while a loop runs.
inline void set_threads(int count) {
  if (count <= 0) count = std::max(1, int(std::thread::hardware_concurrency()));
  if (count != threads()) detail::pool() = std::make_unique<detail::Pool>(count);
}

/// task(i) for i in [0, tasks), spread over the threads. Exceptions reach the caller (the first one).
template <class F> void parallel_tasks(int64_t tasks, F&& task) {
  if (tasks <= 1 || detail::Pool::inside() || threads() == 1) {
    for (int64_t i = 0; i < tasks; ++i) task(i);
    return;
  }
  auto call = [](void* context, int64_t i) { (*static_cast<std::remove_reference_t<F>*>(context))(i); };
  detail::pool()->run(tasks, call, const_cast<void*>(static_cast<void const*>(&task)));
}

/// body(begin, end) on pieces of at most `grain` indices of [0, n). The split depends on n and grain only, so that
/// partial results kept per piece (number begin / grain) add up to the same bits for any number of threads.
template <class F> void parallel_chunks(int64_t n, int64_t grain, F&& body) {
  if (n <= 0) return;
  parallel_tasks((n + grain - 1) / grain, [&](int64_t i) { body(i * grain, std::min(n, (i + 1) * grain)); });
}

/// body(i) for i in [0, n).
template <class F> void parallel_for(int64_t n, F&& body) {
  parallel_chunks(n, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

}  // namespace d16
