#include "api/settle_calls.h"

#include <utility>

#include "api/arguments.h"

namespace pgqrs::internal {
namespace {

using queue::SettleRequest;

constexpr std::size_t kMaxReason = 64 << 10;

}  // namespace

Settlement Settlement::Release(Duration delay, std::string_view error) {
  // Who has a point in time gives the duration until it, which is negative where it has passed. An
  // enqueue takes points in time as such, so there a negative delay is refused.
  if (delay < Duration::zero()) delay = Duration::zero();
  CheckDuration("delay", delay, Duration::zero());
  CheckText("error", error, kMaxReason);
  return {SettleRequest::Action::kRelease, delay, std::string(error)};
}

Settlement Settlement::ReleaseUnread(Duration delay) {
  auto release = Release(delay, {});
  release.unread = true;
  return release;
}

Settlement Settlement::ReleaseUntil(TimePoint visible_at) {
  CheckTime("visible_at", visible_at);
  return {.action = SettleRequest::Action::kRelease, .until = visible_at};
}

Settlement Settlement::Extend(Duration lease) {
  CheckLease(lease);
  return {SettleRequest::Action::kExtend, lease};
}

Settlement Settlement::DeadLetter(std::string_view reason) {
  CheckText("reason", reason, kMaxReason);
  return {SettleRequest::Action::kDeadLetter, Duration::zero(), std::string(reason)};
}

Targets TargetsOf(std::span<const std::int64_t> message_ids, std::int64_t queue_id) {
  Targets targets;
  targets.reserve(message_ids.size());
  for (const auto id : message_ids) targets.push_back({.message_id = id, .queue_id = queue_id});
  return targets;
}

void FillSettle(SettleRequest& request, std::shared_ptr<queue::Worker> worker, Targets targets,
                Settlement settlement) {
  CheckCount("number of messages", static_cast<std::int64_t>(targets.size()), 0,
             Queue::kMaxBatchSize);
  request.bytes += targets.size() * sizeof(SettleRequest::Target) + settlement.text.size();
  request.action = settlement.action;
  request.targets = std::move(targets);
  request.worker = std::move(worker);
  request.delay = settlement.delay;
  request.text = std::move(settlement.text);
  request.until = settlement.until;
  request.unread = settlement.unread;
}

CallPtr<std::vector<bool>, SettleRequest> SettleMany(StoreCore& store,
                                                     std::shared_ptr<queue::Worker> worker,
                                                     Targets targets, Settlement settlement) {
  auto call = store.MakeCall<std::vector<bool>, SettleRequest>(
      [](SettleRequest& request) { return std::move(request.answers); });
  FillSettle(*call, std::move(worker), std::move(targets), std::move(settlement));
  return call;
}

CallPtr<bool, SettleRequest> SettleOne(StoreCore& store, std::shared_ptr<queue::Worker> worker,
                                       SettleRequest::Target target, Settlement settlement) {
  auto call = store.MakeCall<bool, SettleRequest>(
      [](SettleRequest& request) { return static_cast<bool>(request.answers.front()); });
  FillSettle(*call, std::move(worker), {target}, std::move(settlement));
  return call;
}

}  // namespace pgqrs::internal
