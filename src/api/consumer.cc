#include <pgqrs/consumer.h>
#include <pgqrs/error.h>

#include <utility>

#include "api/consumer_core.h"
#include "api/dequeue_calls.h"
#include "api/moved_from.h"
#include "api/settle_calls.h"
#include "queue/workers.h"

namespace pgqrs {
namespace internal {

void ConsumerCore::CheckOpen() const {
  if (closed_) throw Error("the consumer is closed");
}

StoreCore& ConsumerCore::store() const {
  CheckOpen();
  return queue_->store();
}

const std::shared_ptr<QueueCore>& ConsumerCore::queue() const {
  CheckOpen();
  return queue_;
}

Future<void> ConsumerCore::Close() {
  auto& store = queue_->store();
  store.CheckUsable();
  if (!closed_.exchange(true)) return store.Retire(worker_);
  auto nothing = std::make_shared<FutureState<void>>(nullptr);
  nothing->Set();
  return Future<void>(std::move(nothing));
}

}  // namespace internal

using internal::DequeueMany;
using internal::DequeueOne;
using internal::SettleMany;
using internal::Settlement;
using internal::SettleOne;
using internal::TargetsOf;

namespace {

// What the worker does with messages that it holds.
auto Settle(const internal::ConsumerCore& consumer, std::int64_t message_id,
            Settlement settlement) {
  return SettleOne(consumer.store(), consumer.worker(),
                   {.message_id = message_id, .queue_id = consumer.queue()->ref()->id},
                   std::move(settlement));
}
auto Settle(const internal::ConsumerCore& consumer, std::span<const std::int64_t> message_ids,
            Settlement settlement) {
  return SettleMany(consumer.store(), consumer.worker(),
                    TargetsOf(message_ids, consumer.queue()->ref()->id), std::move(settlement));
}

}  // namespace

Consumer::Consumer(std::shared_ptr<internal::ConsumerCore> core) : core_(std::move(core)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&& other) noexcept {
  // What was here before is closed at the end, by the destructor of `moved`.
  Consumer moved(std::move(other));
  std::swap(core_, moved.core_);
  return *this;
}

Consumer::~Consumer() {
  if (!core_) return;
  try {
    auto closed = core_->Close();
    // Where a future is dropped that has a consumer, this runs in the midst of a completion, which
    // must not wait for the next one.
    if (!engine::Engine::IsCompleting()) closed.Get();
  } catch (const std::exception&) {
    // The store is closed, and has retired the worker already; or the database is gone, and the
    // leases end by themselves; or this is a forked child, where there is nothing to close.
    return;
  }
}

const std::shared_ptr<internal::ConsumerCore>& Consumer::core() const {
  return internal::CheckNotMovedFrom(core_, "a Consumer");
}

std::int64_t Consumer::worker_id() const { return core()->worker()->id; }

Future<std::optional<Message>> Consumer::DequeueAsync(std::optional<Duration> lease) {
  return core()->store().Submit(DequeueOne(core()->queue(), core()->worker(), {.lease = lease}));
}
std::optional<Message> Consumer::Dequeue(std::optional<Duration> lease) {
  return core()->store().Run(DequeueOne(core()->queue(), core()->worker(), {.lease = lease}));
}

Future<std::optional<Message>> Consumer::DequeueWaitAsync(Duration timeout,
                                                          std::optional<Duration> lease) {
  return core()->store().Submit(
      DequeueOne(core()->queue(), core()->worker(), {.lease = lease, .timeout = timeout}));
}
std::optional<Message> Consumer::DequeueWait(Duration timeout, std::optional<Duration> lease) {
  return core()->store().Run(
      DequeueOne(core()->queue(), core()->worker(), {.lease = lease, .timeout = timeout}));
}

Future<std::vector<Message>> Consumer::DequeueBatchAsync(int count, std::optional<Duration> lease) {
  return core()->store().Submit(
      DequeueMany(core()->queue(), core()->worker(), {.count = count, .lease = lease}));
}
std::vector<Message> Consumer::DequeueBatch(int count, std::optional<Duration> lease) {
  return core()->store().Run(
      DequeueMany(core()->queue(), core()->worker(), {.count = count, .lease = lease}));
}

Future<std::vector<Message>> Consumer::DequeueBatchWaitAsync(int count, Duration timeout,
                                                             std::optional<Duration> lease) {
  return core()->store().Submit(DequeueMany(core()->queue(), core()->worker(),
                                            {.count = count, .lease = lease, .timeout = timeout}));
}
std::vector<Message> Consumer::DequeueBatchWait(int count, Duration timeout,
                                                std::optional<Duration> lease) {
  return core()->store().Run(DequeueMany(core()->queue(), core()->worker(),
                                         {.count = count, .lease = lease, .timeout = timeout}));
}

Future<std::vector<Message>> Consumer::DequeueBatchAtAsync(int count, TimePoint at,
                                                           std::optional<Duration> lease) {
  return core()->store().Submit(
      DequeueMany(core()->queue(), core()->worker(), {.count = count, .lease = lease, .at = at}));
}
std::vector<Message> Consumer::DequeueBatchAt(int count, TimePoint at,
                                              std::optional<Duration> lease) {
  return core()->store().Run(
      DequeueMany(core()->queue(), core()->worker(), {.count = count, .lease = lease, .at = at}));
}

Future<bool> Consumer::AckAsync(std::int64_t message_id) {
  return core()->store().Submit(Settle(*core(), message_id, Settlement::Ack()));
}
bool Consumer::Ack(std::int64_t message_id) {
  return core()->store().Run(Settle(*core(), message_id, Settlement::Ack()));
}

Future<std::vector<bool>> Consumer::AckAsync(std::span<const std::int64_t> message_ids) {
  return core()->store().Submit(Settle(*core(), message_ids, Settlement::Ack()));
}
std::vector<bool> Consumer::Ack(std::span<const std::int64_t> message_ids) {
  return core()->store().Run(Settle(*core(), message_ids, Settlement::Ack()));
}

Future<bool> Consumer::ReleaseAsync(std::int64_t message_id, Duration delay) {
  return core()->store().Submit(Settle(*core(), message_id, Settlement::Release(delay, {})));
}
bool Consumer::Release(std::int64_t message_id, Duration delay) {
  return core()->store().Run(Settle(*core(), message_id, Settlement::Release(delay, {})));
}

Future<bool> Consumer::ReleaseUnreadAsync(std::int64_t message_id, Duration delay) {
  return core()->store().Submit(Settle(*core(), message_id, Settlement::ReleaseUnread(delay)));
}
bool Consumer::ReleaseUnread(std::int64_t message_id, Duration delay) {
  return core()->store().Run(Settle(*core(), message_id, Settlement::ReleaseUnread(delay)));
}

Future<bool> Consumer::ReleaseUntilAsync(std::int64_t message_id, TimePoint visible_at) {
  return core()->store().Submit(Settle(*core(), message_id, Settlement::ReleaseUntil(visible_at)));
}
bool Consumer::ReleaseUntil(std::int64_t message_id, TimePoint visible_at) {
  return core()->store().Run(Settle(*core(), message_id, Settlement::ReleaseUntil(visible_at)));
}

Future<std::vector<bool>> Consumer::ReleaseAsync(std::span<const std::int64_t> message_ids,
                                                 Duration delay) {
  return core()->store().Submit(Settle(*core(), message_ids, Settlement::Release(delay, {})));
}
std::vector<bool> Consumer::Release(std::span<const std::int64_t> message_ids, Duration delay) {
  return core()->store().Run(Settle(*core(), message_ids, Settlement::Release(delay, {})));
}

Future<bool> Consumer::DeleteAsync(std::int64_t message_id) {
  return core()->store().Submit(Settle(*core(), message_id, Settlement::Delete()));
}
bool Consumer::Delete(std::int64_t message_id) {
  return core()->store().Run(Settle(*core(), message_id, Settlement::Delete()));
}

Future<std::vector<bool>> Consumer::DeleteAsync(std::span<const std::int64_t> message_ids) {
  return core()->store().Submit(Settle(*core(), message_ids, Settlement::Delete()));
}
std::vector<bool> Consumer::Delete(std::span<const std::int64_t> message_ids) {
  return core()->store().Run(Settle(*core(), message_ids, Settlement::Delete()));
}

Future<bool> Consumer::ExtendLeaseAsync(std::int64_t message_id, Duration lease) {
  return core()->store().Submit(Settle(*core(), message_id, Settlement::Extend(lease)));
}
bool Consumer::ExtendLease(std::int64_t message_id, Duration lease) {
  return core()->store().Run(Settle(*core(), message_id, Settlement::Extend(lease)));
}

Future<bool> Consumer::DeadLetterAsync(std::int64_t message_id, std::string_view reason) {
  return core()->store().Submit(Settle(*core(), message_id, Settlement::DeadLetter(reason)));
}
bool Consumer::DeadLetter(std::int64_t message_id, std::string_view reason) {
  return core()->store().Run(Settle(*core(), message_id, Settlement::DeadLetter(reason)));
}

Future<WorkerStatus> Consumer::StatusAsync() {
  return core()->store().Read([id = worker_id()](driver::Connection& connection) {
    return queue::GetWorker(connection, id).status;
  });
}
WorkerStatus Consumer::Status() { return StatusAsync().Get(); }

Future<void> Consumer::SetStatusAsync(WorkerStatus status) {
  return core()->store().Write([id = worker_id(), status](driver::Connection& connection) {
    queue::SetWorkerStatus(connection, id, status);
  });
}
void Consumer::SetStatus(WorkerStatus status) { SetStatusAsync(status).Get(); }

Future<void> Consumer::CloseAsync() { return core()->Close(); }
void Consumer::Close() { CloseAsync().Get(); }

}  // namespace pgqrs
