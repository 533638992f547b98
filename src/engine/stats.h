#ifndef PGQRS_ENGINE_STATS_H_
#define PGQRS_ENGINE_STATS_H_

#include <pgqrs/records.h>

#include <cstdint>
#include <mutex>

namespace pgqrs::engine {

// Counts what the engine does. Written once a group, so that a lock does not matter.
class Stats {
 public:
  // Changes the metrics under the lock.
  template <typename F>
  void Update(F change) {
    const std::lock_guard lock(mutex_);
    change(metrics_);
  }

  EngineMetrics Snapshot() const {
    const std::lock_guard lock(mutex_);
    return metrics_;
  }

  static void Add(Histogram& histogram, std::uint64_t value);

 private:
  mutable std::mutex mutex_;
  EngineMetrics metrics_;
};

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_STATS_H_
