#ifndef PGQRS_ENGINE_TIMER_H_
#define PGQRS_ENGINE_TIMER_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace pgqrs::engine {

// Calls functions at their time, on one thread. They must not block.
class Timer {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Names one entry; the default names none.
  using Id = std::pair<Time, std::uint64_t>;

  Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { Stop(); }

  Id At(Time time, std::function<void()> action);

  // Takes an entry back. It may be running just now.
  void Cancel(const Id& id);

  // Drops all entries and waits for the one that runs. Later entries are dropped too.
  void Stop();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Id, std::function<void()>> entries_;
  std::uint64_t next_number_ = 1;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_TIMER_H_
