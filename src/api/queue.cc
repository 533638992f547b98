#include <pgqrs/consumer.h>
#include <pgqrs/error.h>
#include <pgqrs/queue.h>

#include <utility>

#include "api/arguments.h"
#include "api/consumer_core.h"
#include "api/dequeue_calls.h"
#include "api/enqueue_calls.h"
#include "api/moved_from.h"
#include "api/registration.h"
#include "api/store_core.h"
#include "queue/archive.h"
#include "queue/browse.h"
#include "queue/metrics.h"
#include "queue/queues.h"
#include "queue/rows.h"

namespace pgqrs {

using internal::DequeueMany;
using internal::DequeueOne;
using internal::EnqueueMany;
using internal::EnqueueOne;

namespace {

// Reads from the queue; fails where it was deleted.
template <typename F>
auto Read(const internal::QueueCore& queue, F work) {
  return queue.store().Read(
      [ref = queue.ref(), work = std::move(work)](driver::Connection& connection) {
        queue::RequireOpen(connection, *ref);
        return work(connection, *ref);
      });
}

// Work on the queue in steps, which ends with an error where the queue is deleted meanwhile.
template <typename Work>
class StepsOnQueue {
 public:
  using Result = std::int64_t (Work::*)() const;

  StepsOnQueue(std::shared_ptr<const queue::QueueRef> ref, Work work, Result result)
      : ref_(std::move(ref)), work_(std::move(work)), result_(result) {}

  bool Step(driver::Connection& connection) {
    queue::RequireOpen(connection, *ref_);
    return work_.Step(connection);
  }
  std::int64_t Count() const { return (work_.*result_)(); }

 private:
  std::shared_ptr<const queue::QueueRef> ref_;
  Work work_;
  Result result_;
};

template <typename Work>
Future<std::int64_t> RunSteps(const internal::QueueCore& queue, Work work,
                              std::int64_t (Work::*result)() const) {
  return queue.store().RunSteps(StepsOnQueue<Work>(queue.ref(), std::move(work), result),
                                &StepsOnQueue<Work>::Count);
}

}  // namespace

const std::shared_ptr<internal::QueueCore>& Queue::core() const {
  return internal::CheckNotMovedFrom(core_, "a Queue");
}

const std::string& Queue::name() const { return core()->ref()->name; }
std::int64_t Queue::id() const { return core()->ref()->id; }

Future<std::int64_t> Queue::EnqueueAsync(const Json& payload, const EnqueueOptions& options) {
  return core()->store().Submit(EnqueueOne(*core(), payload, options));
}
std::int64_t Queue::Enqueue(const Json& payload, const EnqueueOptions& options) {
  return core()->store().Run(EnqueueOne(*core(), payload, options));
}

Future<std::vector<std::int64_t>> Queue::EnqueueBatchAsync(std::span<const Json> payloads,
                                                           const EnqueueOptions& options) {
  return core()->store().Submit(EnqueueMany(*core(), payloads, options));
}
std::vector<std::int64_t> Queue::EnqueueBatch(std::span<const Json> payloads,
                                              const EnqueueOptions& options) {
  return core()->store().Run(EnqueueMany(*core(), payloads, options));
}

Future<std::optional<Message>> Queue::DequeueAsync(std::optional<Duration> lease) {
  return core()->store().Submit(DequeueOne(core(), core()->store().own_worker(), {.lease = lease}));
}
std::optional<Message> Queue::Dequeue(std::optional<Duration> lease) {
  return core()->store().Run(DequeueOne(core(), core()->store().own_worker(), {.lease = lease}));
}

Future<std::vector<Message>> Queue::DequeueBatchAsync(int count, std::optional<Duration> lease) {
  return core()->store().Submit(
      DequeueMany(core(), core()->store().own_worker(), {.count = count, .lease = lease}));
}
std::vector<Message> Queue::DequeueBatch(int count, std::optional<Duration> lease) {
  return core()->store().Run(
      DequeueMany(core(), core()->store().own_worker(), {.count = count, .lease = lease}));
}

Future<std::optional<Message>> Queue::DequeueWaitAsync(Duration timeout,
                                                       std::optional<Duration> lease) {
  return core()->store().Submit(
      DequeueOne(core(), core()->store().own_worker(), {.lease = lease, .timeout = timeout}));
}
std::optional<Message> Queue::DequeueWait(Duration timeout, std::optional<Duration> lease) {
  return core()->store().Run(
      DequeueOne(core(), core()->store().own_worker(), {.lease = lease, .timeout = timeout}));
}

Future<std::vector<Message>> Queue::DequeueBatchWaitAsync(int count, Duration timeout,
                                                          std::optional<Duration> lease) {
  return core()->store().Submit(DequeueMany(core(), core()->store().own_worker(),
                                            {.count = count, .lease = lease, .timeout = timeout}));
}
std::vector<Message> Queue::DequeueBatchWait(int count, Duration timeout,
                                             std::optional<Duration> lease) {
  return core()->store().Run(DequeueMany(core(), core()->store().own_worker(),
                                         {.count = count, .lease = lease, .timeout = timeout}));
}

Future<Consumer> Queue::NewConsumerAsync(std::string_view name) {
  auto worker = internal::NewWorker(*core(), name);
  auto call = core()->store().MakeCall<Consumer, queue::JobRequest>(
      [core = core(), worker](queue::JobRequest&) {
        core->store().AddWorker(worker);
        return Consumer(std::make_shared<internal::ConsumerCore>(core, worker));
      });
  call->step = [worker, ref = core()->ref()](driver::Connection& connection) {
    internal::WriteWorker(connection, *ref, *worker);
    return false;
  };
  return core()->store().Submit(std::move(call));
}
Consumer Queue::NewConsumer(std::string_view name) { return NewConsumerAsync(name).Get(); }

Future<QueueMetrics> Queue::MetricsAsync() {
  return core()->store().Read([ref = core()->ref()](driver::Connection& connection) {
    queue::HoldSlices(connection);
    queue::RequireOpen(connection, *ref);
    return queue::MeasureQueue(connection, ref->id, ref->name);
  });
}
QueueMetrics Queue::Metrics() { return MetricsAsync().Get(); }

Future<std::vector<MessageInfo>> Queue::ListArchivedAsync(const Page& page) {
  internal::CheckPage(page);
  return Read(*core(), [page](driver::Connection& connection, const queue::QueueRef& ref) {
    return queue::ListFinished(connection, ref.id, page);
  });
}
std::vector<MessageInfo> Queue::ListArchived(const Page& page) {
  return ListArchivedAsync(page).Get();
}

Future<std::vector<MessageInfo>> Queue::ListDeadLettersAsync(const Page& page) {
  internal::CheckPage(page);
  return Read(*core(), [page](driver::Connection& connection, const queue::QueueRef& ref) {
    return queue::ListDead(connection, ref.id, page);
  });
}
std::vector<MessageInfo> Queue::ListDeadLetters(const Page& page) {
  return ListDeadLettersAsync(page).Get();
}

Future<bool> Queue::ReplayDeadLetterAsync(std::int64_t message_id) {
  return core()->store().Write([ref = core()->ref(), message_id](driver::Connection& connection) {
    queue::RequireOpen(connection, *ref);
    return queue::ReplayDeadLetter(connection, ref->id, message_id);
  });
}
bool Queue::ReplayDeadLetter(std::int64_t message_id) {
  return ReplayDeadLetterAsync(message_id).Get();
}

Future<std::int64_t> Queue::ReplayDeadLettersAsync() {
  using queue::DeadLetterSweep;
  return RunSteps(*core(), DeadLetterSweep(core()->ref()->id, DeadLetterSweep::Fate::kReplay),
                  &DeadLetterSweep::count);
}
std::int64_t Queue::ReplayDeadLetters() { return ReplayDeadLettersAsync().Get(); }

Future<std::int64_t> Queue::PurgeDeadLettersAsync() {
  using queue::DeadLetterSweep;
  return RunSteps(*core(), DeadLetterSweep(core()->ref()->id, DeadLetterSweep::Fate::kPurge),
                  &DeadLetterSweep::count);
}
std::int64_t Queue::PurgeDeadLetters() { return PurgeDeadLettersAsync().Get(); }

Future<std::int64_t> Queue::ApplyRetentionAsync(const RetentionPolicy& policy) {
  if (policy.max_age) internal::CheckDuration("max_age", *policy.max_age, Duration::zero());
  if (policy.max_count && *policy.max_count < 0) {
    throw ValidationError("max_count: is negative");
  }
  return RunSteps(*core(), queue::Retention(core()->ref()->id, policy), &queue::Retention::removed);
}
std::int64_t Queue::ApplyRetention(const RetentionPolicy& policy) {
  return ApplyRetentionAsync(policy).Get();
}

}  // namespace pgqrs
