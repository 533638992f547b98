#ifndef PGQRS_DRIVER_TURSO_LOCAL_CHANGES_H_
#define PGQRS_DRIVER_TURSO_LOCAL_CHANGES_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "driver/driver.h"

namespace pgqrs::driver {

// What the stores of this process that have one file open know of each other's commits. No other
// process can have it open, so nothing has to be watched. Any thread may call it.
class LocalChanges {
 public:
  // How often was committed.
  std::uint64_t commits() const { return commits_; }
  void NoteCommit() { ++commits_; }

  // Tells all listeners but those of `owner`, on this thread.
  void Announce(const void* owner, const Announcement& announcement);

  // Calls `on_change` for what others announce. It must not wait for anything.
  static std::unique_ptr<ChangeListener> Listen(const std::shared_ptr<LocalChanges>& changes,
                                                const void* owner,
                                                std::function<void(const Announcement&)> on_change);

 private:
  class Listener;

  std::atomic<std::uint64_t> commits_ = 0;
  std::mutex mutex_;  // Held while an on_change runs.
  std::vector<Listener*> listeners_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_TURSO_LOCAL_CHANGES_H_
