#include "driver/postgres/announcement_outbox.h"

#include <algorithm>
#include <iterator>

namespace pgqrs::driver {

AnnouncementOutbox::Time AnnouncementOutbox::Add(const Announcement& announcement, Duration ahead,
                                                 Time now) {
  auto& entry = entries_[announcement.queue_id];
  if (!entry.waiting || announcement.visible_at < *entry.waiting) {
    entry.waiting = announcement.visible_at;
    entry.ahead = ahead;
    entry.waiting_since = now;
  }
  return DueTime(entry);
}

AnnouncementOutbox::Time AnnouncementOutbox::DueTime(const Entry& entry) {
  return entry.sent_at + (*entry.waiting >= entry.sent ? entry.later_rest : entry.rest);
}

std::vector<Announcement> AnnouncementOutbox::Take(Time now, std::size_t limit) {
  return TakeUntil(now, now, limit);
}

std::vector<Announcement> AnnouncementOutbox::TakeAny(Time now, std::size_t limit) {
  return TakeUntil(std::nullopt, now, limit);
}

std::vector<Announcement> AnnouncementOutbox::TakeUntil(std::optional<Time> due, Time now,
                                                        std::size_t limit) {
  std::vector<Announcement> taken;
  for (auto it = entries_.begin(); it != entries_.end() && taken.size() < limit;) {
    auto& entry = it->second;
    if (!entry.waiting) {
      it = now - entry.sent_at > kLongRest ? entries_.erase(it) : std::next(it);
      continue;
    }
    if (!due || DueTime(entry) <= *due) {
      taken.push_back({.queue_id = it->first, .visible_at = *entry.waiting});
      const auto passed = std::chrono::duration_cast<Duration>(now - entry.waiting_since);
      entry.later_rest = std::clamp<Duration>(entry.ahead - passed - kLongRest, kRest, kLongRest);
      entry.rest = kRest;
      entry.sent = *entry.waiting;
      entry.sent_at = now;
      entry.waiting.reset();
    }
    ++it;
  }
  return taken;
}

std::optional<AnnouncementOutbox::Time> AnnouncementOutbox::NextDue() const {
  std::optional<Time> next;
  for (const auto& [queue_id, entry] : entries_) {
    if (!entry.waiting) continue;
    const auto due = DueTime(entry);
    if (!next || due < *next) next = due;
  }
  return next;
}

}  // namespace pgqrs::driver
