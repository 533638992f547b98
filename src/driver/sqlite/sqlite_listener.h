#ifndef PGQRS_DRIVER_SQLITE_SQLITE_LISTENER_H_
#define PGQRS_DRIVER_SQLITE_SQLITE_LISTENER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "driver/driver.h"
#include "driver/sqlite/sqlite_database.h"
#include "driver/sqlite/sqlite_handle.h"

namespace pgqrs::driver {

// Every commit of any process appends to the write-ahead log, so inotify on that file tells when to
// look, and `PRAGMA data_version` whether there is something new.
class SqliteListener final : public ChangeListener {
 public:
  // Nothing where the system has no inotify; the engine's fallback poll is then the only way.
  static std::unique_ptr<SqliteListener> Start(const SqliteOptions& options,
                                               std::function<void()> on_change);
  SqliteListener(const SqliteListener&) = delete;
  SqliteListener& operator=(const SqliteListener&) = delete;
  ~SqliteListener() override;

  void SetArmed(bool armed) override;

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

  SqliteListener(const SqliteOptions& options, std::function<void()> on_change, Descriptor notifier,
                 Descriptor control);
  void Listen();
  void FollowArmed(int& watch);
  bool HasChanged();
  void Poke();

  const std::string log_path_;
  const std::function<void()> on_change_;
  const Descriptor notifier_;  // inotify
  const Descriptor control_;   // eventfd: armed_ or stop_ has changed.
  std::atomic<bool> armed_{false};
  std::atomic<bool> stop_{false};
  SqliteHandle database_;
  SqliteStatement data_version_;
  std::int64_t version_ = 0;
  std::thread thread_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_SQLITE_SQLITE_LISTENER_H_
