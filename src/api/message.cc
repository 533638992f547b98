#include <pgqrs/message.h>

#include <utility>

#include "api/settle_calls.h"
#include "api/store_core.h"
#include "queue/rows.h"

namespace pgqrs {

using internal::MessageAccess;
using internal::Settlement;
using internal::SettleOne;

const std::string& Message::queue_name() const { return queue_->ref()->name; }

Future<bool> Message::AckAsync() {
  return SettleOne(queue_->store(), nullptr, MessageAccess::Target(*this), Settlement::Ack());
}
bool Message::Ack() { return AckAsync().Get(); }

Future<bool> Message::ReleaseAsync(Duration delay, std::string_view error) {
  return SettleOne(queue_->store(), nullptr, MessageAccess::Target(*this),
                   Settlement::Release(delay, error));
}
bool Message::Release(Duration delay, std::string_view error) {
  return ReleaseAsync(delay, error).Get();
}

Future<bool> Message::ExtendLeaseAsync(Duration lease) {
  return SettleOne(queue_->store(), nullptr, MessageAccess::Target(*this),
                   Settlement::Extend(lease));
}

bool Message::ExtendLease(Duration lease) {
  auto& store = queue_->store();
  auto settlement = Settlement::Extend(lease);
  using Answer = std::optional<std::int64_t>;
  auto call = store.MakeCall<Answer, queue::SettleRequest>([](queue::SettleRequest& request) {
    return request.answers.front() ? request.visible_at : Answer();
  });
  call->action = settlement.action;
  call->delay = settlement.delay;
  call->targets = {MessageAccess::Target(*this)};
  const auto end = store.Submit(std::move(call)).Get();
  if (end) lease_end_ = queue::FromMicros(*end);
  return end.has_value();
}

Future<bool> Message::DeleteAsync() {
  return SettleOne(queue_->store(), nullptr, MessageAccess::Target(*this), Settlement::Delete());
}
bool Message::Delete() { return DeleteAsync().Get(); }

Future<bool> Message::DeadLetterAsync(std::string_view reason) {
  return SettleOne(queue_->store(), nullptr, MessageAccess::Target(*this),
                   Settlement::DeadLetter(reason));
}
bool Message::DeadLetter(std::string_view reason) { return DeadLetterAsync(reason).Get(); }

}  // namespace pgqrs
