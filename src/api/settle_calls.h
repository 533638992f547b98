// Acks, releases, extensions, deletions: what happens to messages under lease.
#ifndef PGQRS_API_SETTLE_CALLS_H_
#define PGQRS_API_SETTLE_CALLS_H_

#include <pgqrs/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/store_core.h"
#include "queue/request.h"

namespace pgqrs::internal {

// What to do, with checked arguments, without the messages.
struct Settlement {
  queue::SettleRequest::Action action = queue::SettleRequest::Action::kAck;
  Duration delay = Duration::zero();
  std::string text = {};
  std::optional<TimePoint> until = {};  // Of a release, in place of the delay.
  bool unread = false;                  // Of a release: takes the read back.

  static Settlement Ack() { return {}; }
  static Settlement Release(Duration delay, std::string_view error);
  static Settlement ReleaseUntil(TimePoint visible_at);
  static Settlement ReleaseUnread(Duration delay);
  static Settlement Extend(Duration lease);
  static Settlement Delete() { return {.action = queue::SettleRequest::Action::kDelete}; }
  static Settlement DeadLetter(std::string_view reason);
};

using Targets = std::vector<queue::SettleRequest::Target>;

// Targets by id, under whatever lease the worker has on them.
Targets TargetsOf(std::span<const std::int64_t> message_ids, std::int64_t queue_id = 0);

// Puts checked arguments into a request.
void FillSettle(queue::SettleRequest& request, std::shared_ptr<queue::Worker> worker,
                Targets targets, Settlement settlement);

// Calls that are yet to be submitted or run. `worker` holds the messages; it may be null where each
// target names its lease.
CallPtr<std::vector<bool>, queue::SettleRequest> SettleMany(StoreCore& store,
                                                            std::shared_ptr<queue::Worker> worker,
                                                            Targets targets, Settlement settlement);
CallPtr<bool, queue::SettleRequest> SettleOne(StoreCore& store,
                                              std::shared_ptr<queue::Worker> worker,
                                              queue::SettleRequest::Target target,
                                              Settlement settlement);

}  // namespace pgqrs::internal

#endif  // PGQRS_API_SETTLE_CALLS_H_
