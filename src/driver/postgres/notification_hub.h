#ifndef PGQRS_DRIVER_POSTGRES_NOTIFICATION_HUB_H_
#define PGQRS_DRIVER_POSTGRES_NOTIFICATION_HUB_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "driver/driver.h"
#include "driver/postgres/announcement_outbox.h"
#include "driver/postgres/notification_link.h"
#include "driver/postgres/postgres_dsn.h"

namespace pgqrs::driver {

// What was heard and not told yet: of each queue the earliest time.
class HeardAnnouncements {
 public:
  void Add(const Announcement& announcement);
  std::vector<Announcement> TakeAll();
  bool empty() const { return earliest_.empty(); }

 private:
  // More queues than this become "of any queue".
  static constexpr std::size_t kMaxQueues = 256;

  std::map<std::int64_t, std::int64_t> earliest_;
};

// What stores tell each other: one thread and one connection for all stores of this process on the
// same schema of the same database. Stores of this process hear each other without the server. The
// thread ends with the last store. Any thread may call it.
class NotificationHub {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // One that hears. All but `on_change` and `owner` belongs to the hub.
  struct Ear {
    std::function<void(const Announcement&)> on_change;
    const void* owner;  // Who does not need to hear what it announces itself.
    bool is_armed = false;
    HeardAnnouncements heard;  // While it was not armed it may have looked too early for these.
  };

  // The one that serves these options.
  static std::shared_ptr<NotificationHub> Of(const PostgresOptions& options);

  explicit NotificationHub(const PostgresOptions& options);
  NotificationHub(const NotificationHub&) = delete;
  NotificationHub& operator=(const NotificationHub&) = delete;
  ~NotificationHub();

  void Add(const std::shared_ptr<Ear>& ear);
  // Waits for a call of its on_change that is under way.
  void Remove(const std::shared_ptr<Ear>& ear);
  void SetArmed(Ear& ear, bool armed);

  // `ahead` is how far in the future the visible time lies.
  void Announce(const void* owner, const Announcement& announcement, Duration ahead);

  bool is_deaf() const { return is_deaf_; }

 private:
  // With mutex_ held.
  void Start();
  void Poke();
  void Hear(const Announcement& announcement, const void* owner);
  bool HasNews() const;

  // The thread's.
  void Run();
  bool MustStop(Time now);
  bool FeedLink(Time now);
  void Tell();
  bool HearFromOthers();
  void Wait();

  const std::string name_;  // As a sender.
  const int control_;       // eventfd: there is something to do.

  std::mutex tell_mutex_;  // Held while an on_change runs. Before mutex_.
  std::mutex mutex_;
  std::vector<std::shared_ptr<Ear>> ears_;
  AnnouncementOutbox outbox_;
  bool has_begun_ = false;  // To listen, once at least.
  bool is_stopping_ = false;
  Time stop_by_;
  std::optional<Time> sleeps_until_;  // Nothing while the thread is awake.
  std::atomic<bool> is_deaf_{false};

  NotificationLink link_;  // The thread's.
  std::thread thread_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_NOTIFICATION_HUB_H_
