#include <pgqrs/consumer.h>
#include <pgqrs/error.h>

#include <utility>

#include "api/consumer_core.h"
#include "api/dequeue_calls.h"
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

void ConsumerCore::Close() {
  queue_->store().CheckUsable();
  if (closed_.exchange(true)) return;
  queue_->store().Retire(worker_);
}

}  // namespace internal

using internal::SettleMany;
using internal::Settlement;
using internal::SettleOne;
using internal::TargetsOf;

Consumer::Consumer(std::shared_ptr<internal::ConsumerCore> core) : core_(std::move(core)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&& other) noexcept {
  // What was here before is closed at the end, by the destructor of `before`.
  const Consumer before(std::exchange(core_, std::move(other.core_)));
  return *this;
}

Consumer::~Consumer() {
  if (!core_) return;
  try {
    core_->Close();
  } catch (const std::exception&) {
    // The store is closed, and has retired the worker already, or the database is gone, and the
    // leases end by themselves.
    return;
  }
}

std::int64_t Consumer::worker_id() const { return core_->worker()->id; }

Future<std::vector<Message>> Consumer::DequeueBatchAsync(int count, std::optional<Duration> lease) {
  return internal::DequeueMany(core_->queue(), core_->worker(),
                               {.count = count, .lease = lease, .timeout = {}});
}
std::vector<Message> Consumer::DequeueBatch(int count, std::optional<Duration> lease) {
  return DequeueBatchAsync(count, lease).Get();
}
std::optional<Message> Consumer::Dequeue(std::optional<Duration> lease) {
  return internal::DequeueOne(core_->queue(), core_->worker(), {.lease = lease, .timeout = {}})
      .Get();
}

Future<std::vector<Message>> Consumer::DequeueBatchWaitAsync(int count, Duration timeout,
                                                             std::optional<Duration> lease) {
  return internal::DequeueMany(core_->queue(), core_->worker(),
                               {.count = count, .lease = lease, .timeout = timeout});
}
std::vector<Message> Consumer::DequeueBatchWait(int count, Duration timeout,
                                                std::optional<Duration> lease) {
  return DequeueBatchWaitAsync(count, timeout, lease).Get();
}

Future<std::vector<bool>> Consumer::AckAsync(std::span<const std::int64_t> message_ids) {
  return SettleMany(core_->store(), core_->worker(), TargetsOf(message_ids), Settlement::Ack());
}
std::vector<bool> Consumer::Ack(std::span<const std::int64_t> message_ids) {
  return AckAsync(message_ids).Get();
}
bool Consumer::Ack(std::int64_t message_id) { return Ack(std::span(&message_id, 1)).front(); }

std::vector<bool> Consumer::Release(std::span<const std::int64_t> message_ids, Duration delay) {
  return SettleMany(core_->store(), core_->worker(), TargetsOf(message_ids),
                    Settlement::Release(delay, {}))
      .Get();
}
bool Consumer::Release(std::int64_t message_id, Duration delay) {
  return Release(std::span(&message_id, 1), delay).front();
}

bool Consumer::ExtendLease(std::int64_t message_id, Duration lease) {
  return SettleOne(core_->store(), core_->worker(), {.message_id = message_id},
                   Settlement::Extend(lease))
      .Get();
}

std::vector<bool> Consumer::Delete(std::span<const std::int64_t> message_ids) {
  return SettleMany(core_->store(), core_->worker(), TargetsOf(message_ids), Settlement::Delete())
      .Get();
}
bool Consumer::Delete(std::int64_t message_id) { return Delete(std::span(&message_id, 1)).front(); }

WorkerStatus Consumer::Status() {
  return core_->store()
      .Read([id = worker_id()](driver::Connection& connection) {
        return queue::GetWorker(connection, id).status;
      })
      .Get();
}

void Consumer::SetStatus(WorkerStatus status) {
  core_->store()
      .Write([id = worker_id(), status](driver::Connection& connection) {
        queue::SetWorkerStatus(connection, id, status);
      })
      .Get();
}

void Consumer::Close() { core_->Close(); }

}  // namespace pgqrs
