#include <pgqrs/message.h>

#include <utility>

#include "api/settle_calls.h"
#include "api/store_core.h"
#include "queue/rows.h"

namespace pgqrs {

using internal::MessageAccess;
using internal::Settlement;
using internal::SettleOne;

namespace {

// What each of the calls below does with its message.
internal::CallPtr<bool, queue::SettleRequest> Settle(const internal::QueueCore& queue,
                                                     const Message& message,
                                                     Settlement settlement) {
  return SettleOne(queue.store(), nullptr, MessageAccess::Target(message), std::move(settlement));
}

}  // namespace

const std::string& Message::queue_name() const { return queue_->ref()->name; }

Future<bool> Message::AckAsync() {
  return queue_->store().Submit(Settle(*queue_, *this, Settlement::Ack()));
}
bool Message::Ack() { return queue_->store().Run(Settle(*queue_, *this, Settlement::Ack())); }

Future<bool> Message::ReleaseAsync(Duration delay, std::string_view error) {
  return queue_->store().Submit(Settle(*queue_, *this, Settlement::Release(delay, error)));
}
bool Message::Release(Duration delay, std::string_view error) {
  return queue_->store().Run(Settle(*queue_, *this, Settlement::Release(delay, error)));
}

Future<bool> Message::ExtendLeaseAsync(Duration lease) {
  return queue_->store().Submit(Settle(*queue_, *this, Settlement::Extend(lease)));
}
bool Message::ExtendLease(Duration lease) {
  auto& store = queue_->store();
  using Answer = std::optional<std::int64_t>;
  auto call = store.MakeCall<Answer, queue::SettleRequest>([](queue::SettleRequest& request) {
    return request.answers.front() ? request.visible_at : Answer();
  });
  internal::FillSettle(*call, nullptr, {MessageAccess::Target(*this)}, Settlement::Extend(lease));
  const auto end = store.Run(std::move(call));
  if (end) lease_end_ = queue::FromMicros(*end);
  return end.has_value();
}

Future<bool> Message::DeleteAsync() {
  return queue_->store().Submit(Settle(*queue_, *this, Settlement::Delete()));
}
bool Message::Delete() { return queue_->store().Run(Settle(*queue_, *this, Settlement::Delete())); }

Future<bool> Message::DeadLetterAsync(std::string_view reason) {
  return queue_->store().Submit(Settle(*queue_, *this, Settlement::DeadLetter(reason)));
}
bool Message::DeadLetter(std::string_view reason) {
  return queue_->store().Run(Settle(*queue_, *this, Settlement::DeadLetter(reason)));
}

}  // namespace pgqrs
