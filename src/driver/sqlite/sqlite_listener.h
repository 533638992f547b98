#ifndef PGQRS_DRIVER_SQLITE_SQLITE_LISTENER_H_
#define PGQRS_DRIVER_SQLITE_SQLITE_LISTENER_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "driver/driver.h"
#include "driver/sqlite/data_version.h"
#include "driver/sqlite/sqlite_database.h"
#include "driver/sqlite/sqlite_handle.h"

namespace pgqrs::driver {

// Every commit of any process appends to the write-ahead log, so inotify on that file tells when to
// look, and `PRAGMA data_version` whether there is something new. The file is written before the
// commit can be seen (a sync lies between the two, and what makes it seen is a store to shared
// memory, of which inotify knows nothing), so after each write it looks again for a while.
class SqliteListener final : public ChangeListener {
 public:
  // Nothing where the system has no inotify; the engine's fallback poll is then the only way.
  static std::unique_ptr<SqliteListener> Start(const FileOptions& options,
                                               std::function<void(const Announcement&)> on_change);
  SqliteListener(const SqliteListener&) = delete;
  SqliteListener& operator=(const SqliteListener&) = delete;
  ~SqliteListener() override;

  void SetArmed(bool armed) override;
  bool is_deaf() const override { return cannot_watch_; }

 private:
  // A descriptor of the system, closed at the end.
  class Descriptor {
   public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor();
    int number() const { return number_; }

   private:
    int number_;
  };

  SqliteListener(const FileOptions& options, std::function<void(const Announcement&)> on_change,
                 Descriptor notifier, Descriptor control);
  void Listen();
  void FollowArmed();
  // Waits for one of the two files, or until it is time to look again.
  void Wait();
  void Poke();

  const std::string log_path_;
  const std::function<void(const Announcement&)> on_change_;
  const Descriptor notifier_;  // inotify
  const Descriptor control_;   // eventfd: armed_ or stop_ has changed.
  std::atomic<bool> armed_{false};
  std::atomic<bool> stop_{false};
  SqliteHandle database_;
  DataVersion data_version_;
  int watch_ = -1;
  std::atomic<bool> cannot_watch_{false};
  // How long after the last write to look again; nothing where that is long ago.
  std::optional<std::chrono::microseconds> look_again_after_;
  std::thread thread_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_SQLITE_SQLITE_LISTENER_H_
