#ifndef PGQRS_DRIVER_POSTGRES_ANNOUNCEMENT_OUTBOX_H_
#define PGQRS_DRIVER_POSTGRES_ANNOUNCEMENT_OUTBOX_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "driver/driver.h"

namespace pgqrs::driver {

// The announcements that are still to be sent. Of one queue the first goes at once; what comes soon
// after it is taken together, by its earliest time, since the server carries out the commits of all
// that notify one after another.
class AnnouncementOutbox {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // The least time between two of one queue.
  static constexpr auto kRest = std::chrono::milliseconds(5);

  // The same where the later one tells of a later time than the earlier one, which is still ahead:
  // whoever waits wakes for the earlier one anyway. The announcement is only put off, and never
  // beyond that time: who joined in between, or lost its wake-up, needs it all the same.
  static constexpr auto kLongRest = std::chrono::milliseconds(250);

  // `ahead` is how far in the future the visible time lies. Gives when it is due.
  Time Add(const Announcement& announcement, Duration ahead, Time now);

  // Takes out what is due, `limit` at most.
  std::vector<Announcement> Take(Time now, std::size_t limit);

  // The same of what is not due yet too.
  std::vector<Announcement> TakeAny(Time now, std::size_t limit);

  // When the next one is due. Nothing where there is none.
  std::optional<Time> NextDue() const;

 private:
  struct Entry {
    std::optional<std::int64_t> waiting;  // The earliest visible time to be announced.
    Duration ahead{0};                    // As of `waiting_since`.
    Time waiting_since;
    std::int64_t sent = 0;  // The visible time announced last, at `sent_at`.
    Time sent_at;
    Duration rest{0};        // From then on to the next one,
    Duration later_rest{0};  // or to the next one that is later.
  };

  static Time DueTime(const Entry& entry);
  std::vector<Announcement> TakeUntil(std::optional<Time> due, Time now, std::size_t limit);

  std::map<std::int64_t, Entry> entries_;  // By queue; those of long ago are taken out.
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_ANNOUNCEMENT_OUTBOX_H_
