#include <pgqrs/message.h>

#include <utility>

#include "api/moved_from.h"
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

const std::shared_ptr<internal::QueueCore>& Message::queue() const {
  return internal::CheckNotMovedFrom(queue_, "a Message");
}

const std::string& Message::queue_name() const { return queue()->ref()->name; }

Future<bool> Message::AckAsync() {
  return queue()->store().Submit(Settle(*queue(), *this, Settlement::Ack()));
}
bool Message::Ack() { return queue()->store().Run(Settle(*queue(), *this, Settlement::Ack())); }

Future<bool> Message::ReleaseAsync(Duration delay, std::string_view error) {
  return queue()->store().Submit(Settle(*queue(), *this, Settlement::Release(delay, error)));
}
bool Message::Release(Duration delay, std::string_view error) {
  return queue()->store().Run(Settle(*queue(), *this, Settlement::Release(delay, error)));
}

Future<bool> Message::ReleaseUnreadAsync(Duration delay) {
  return queue()->store().Submit(Settle(*queue(), *this, Settlement::ReleaseUnread(delay)));
}
bool Message::ReleaseUnread(Duration delay) {
  return queue()->store().Run(Settle(*queue(), *this, Settlement::ReleaseUnread(delay)));
}

Future<bool> Message::ExtendLeaseAsync(Duration lease) {
  return queue()->store().Submit(Settle(*queue(), *this, Settlement::Extend(lease)));
}
bool Message::ExtendLease(Duration lease) {
  auto& store = queue()->store();
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
  return queue()->store().Submit(Settle(*queue(), *this, Settlement::Delete()));
}
bool Message::Delete() {
  return queue()->store().Run(Settle(*queue(), *this, Settlement::Delete()));
}

Future<bool> Message::DeadLetterAsync(std::string_view reason) {
  return queue()->store().Submit(Settle(*queue(), *this, Settlement::DeadLetter(reason)));
}
bool Message::DeadLetter(std::string_view reason) {
  return queue()->store().Run(Settle(*queue(), *this, Settlement::DeadLetter(reason)));
}

}  // namespace pgqrs
