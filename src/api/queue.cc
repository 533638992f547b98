#include <pgqrs/consumer.h>
#include <pgqrs/error.h>
#include <pgqrs/queue.h>

#include <utility>

#include "api/arguments.h"
#include "api/consumer_core.h"
#include "api/dequeue_calls.h"
#include "api/registration.h"
#include "api/store_core.h"
#include "queue/archive.h"
#include "queue/browse.h"
#include "queue/group.h"
#include "queue/metrics.h"

namespace pgqrs {

using internal::DequeueMany;
using internal::DequeueOne;
using queue::EnqueueRequest;

namespace {

void CheckBatchSize(std::size_t n) {
  internal::CheckCount("batch size", static_cast<std::int64_t>(n), 0, Queue::kMaxBatchSize);
}

// Puts checked arguments into a request.
void FillEnqueue(EnqueueRequest& request, const internal::QueueCore& queue,
                 std::span<const Json> payloads, const EnqueueOptions& options) {
  auto& store = queue.store();
  internal::CheckEnqueueOptions(options);
  for (const auto& payload : payloads) request.bytes += payload.text().size() + sizeof(Json);
  store.rate_limit().Take(payloads.size());
  request.queue = queue.ref();
  request.producer = store.own_worker();
  request.priority = options.priority;
  request.delay = options.delay;
  request.visible_at = options.visible_at;
  request.payloads.assign(payloads.begin(), payloads.end());
}

// Names the position in the error.
void CheckPayloads(const Config& config, std::span<const Json> payloads) {
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    try {
      internal::CheckPayload(config, payloads[i]);
    } catch (const ValidationError& error) {
      throw ValidationError("payload " + std::to_string(i) + " of the batch: " + error.what());
    }
  }
}

internal::CallPtr<std::int64_t, EnqueueRequest> EnqueueOne(const internal::QueueCore& queue,
                                                           const Json& payload,
                                                           const EnqueueOptions& options) {
  auto& store = queue.store();
  auto call = store.MakeCall<std::int64_t, EnqueueRequest>(
      [](EnqueueRequest& request) { return request.ids.front(); });
  internal::CheckPayload(store.config(), payload);
  FillEnqueue(*call, queue, std::span(&payload, 1), options);
  return call;
}

internal::CallPtr<std::vector<std::int64_t>, EnqueueRequest> EnqueueMany(
    const internal::QueueCore& queue, std::span<const Json> payloads,
    const EnqueueOptions& options) {
  auto& store = queue.store();
  auto call = store.MakeCall<std::vector<std::int64_t>, EnqueueRequest>(
      [](EnqueueRequest& request) { return std::move(request.ids); });
  CheckBatchSize(payloads.size());
  CheckPayloads(store.config(), payloads);
  FillEnqueue(*call, queue, payloads, options);
  return call;
}

}  // namespace

const std::string& Queue::name() const { return core_->ref()->name; }
std::int64_t Queue::id() const { return core_->ref()->id; }

Future<std::int64_t> Queue::EnqueueAsync(const Json& payload, const EnqueueOptions& options) {
  return core_->store().Submit(EnqueueOne(*core_, payload, options));
}
std::int64_t Queue::Enqueue(const Json& payload, const EnqueueOptions& options) {
  return core_->store().Run(EnqueueOne(*core_, payload, options));
}

Future<std::vector<std::int64_t>> Queue::EnqueueBatchAsync(std::span<const Json> payloads,
                                                           const EnqueueOptions& options) {
  return core_->store().Submit(EnqueueMany(*core_, payloads, options));
}
std::vector<std::int64_t> Queue::EnqueueBatch(std::span<const Json> payloads,
                                              const EnqueueOptions& options) {
  return core_->store().Run(EnqueueMany(*core_, payloads, options));
}

Future<std::optional<Message>> Queue::DequeueAsync(std::optional<Duration> lease) {
  return core_->store().Submit(DequeueOne(core_, core_->store().own_worker(), {.lease = lease}));
}
std::optional<Message> Queue::Dequeue(std::optional<Duration> lease) {
  return core_->store().Run(DequeueOne(core_, core_->store().own_worker(), {.lease = lease}));
}

Future<std::vector<Message>> Queue::DequeueBatchAsync(int count, std::optional<Duration> lease) {
  return core_->store().Submit(
      DequeueMany(core_, core_->store().own_worker(), {.count = count, .lease = lease}));
}
std::vector<Message> Queue::DequeueBatch(int count, std::optional<Duration> lease) {
  return core_->store().Run(
      DequeueMany(core_, core_->store().own_worker(), {.count = count, .lease = lease}));
}

Future<std::optional<Message>> Queue::DequeueWaitAsync(Duration timeout,
                                                       std::optional<Duration> lease) {
  return core_->store().Submit(
      DequeueOne(core_, core_->store().own_worker(), {.lease = lease, .timeout = timeout}));
}
std::optional<Message> Queue::DequeueWait(Duration timeout, std::optional<Duration> lease) {
  return core_->store().Run(
      DequeueOne(core_, core_->store().own_worker(), {.lease = lease, .timeout = timeout}));
}

Future<std::vector<Message>> Queue::DequeueBatchWaitAsync(int count, Duration timeout,
                                                          std::optional<Duration> lease) {
  return core_->store().Submit(DequeueMany(core_, core_->store().own_worker(),
                                           {.count = count, .lease = lease, .timeout = timeout}));
}
std::vector<Message> Queue::DequeueBatchWait(int count, Duration timeout,
                                             std::optional<Duration> lease) {
  return core_->store().Run(DequeueMany(core_, core_->store().own_worker(),
                                        {.count = count, .lease = lease, .timeout = timeout}));
}

Future<Consumer> Queue::NewConsumerAsync(std::string_view name) {
  auto worker = internal::NewWorker(*core_, name);
  auto call = core_->store().MakeCall<Consumer, queue::JobRequest>(
      [core = core_, worker](queue::JobRequest&) {
        core->store().AddWorker(worker);
        return Consumer(std::make_shared<internal::ConsumerCore>(core, worker));
      });
  call->step = [worker](driver::Connection& connection) {
    queue::RegisterWorker(connection, *worker);
    return false;
  };
  return core_->store().Submit(std::move(call));
}
Consumer Queue::NewConsumer(std::string_view name) { return NewConsumerAsync(name).Get(); }

Future<QueueMetrics> Queue::MetricsAsync() {
  return core_->store().Read([ref = core_->ref()](driver::Connection& connection) {
    return queue::MeasureQueue(connection, ref->id, ref->name);
  });
}
QueueMetrics Queue::Metrics() { return MetricsAsync().Get(); }

Future<std::vector<MessageInfo>> Queue::ListArchivedAsync(const Page& page) {
  internal::CheckPage(page);
  return core_->store().Read([ref = core_->ref(), page](driver::Connection& connection) {
    return queue::ListFinished(connection, ref->id, page);
  });
}
std::vector<MessageInfo> Queue::ListArchived(const Page& page) {
  return ListArchivedAsync(page).Get();
}

Future<std::vector<MessageInfo>> Queue::ListDeadLettersAsync(const Page& page) {
  internal::CheckPage(page);
  return core_->store().Read([ref = core_->ref(), page](driver::Connection& connection) {
    return queue::ListDead(connection, ref->id, page);
  });
}
std::vector<MessageInfo> Queue::ListDeadLetters(const Page& page) {
  return ListDeadLettersAsync(page).Get();
}

Future<bool> Queue::ReplayDeadLetterAsync(std::int64_t message_id) {
  return core_->store().Write([ref = core_->ref(), message_id](driver::Connection& connection) {
    return queue::ReplayDeadLetter(connection, ref->id, message_id);
  });
}
bool Queue::ReplayDeadLetter(std::int64_t message_id) {
  return ReplayDeadLetterAsync(message_id).Get();
}

Future<std::int64_t> Queue::ReplayDeadLettersAsync() {
  return core_->store().RunSteps(
      queue::DeadLetterSweep(core_->ref()->id, queue::DeadLetterSweep::Fate::kReplay),
      &queue::DeadLetterSweep::count);
}
std::int64_t Queue::ReplayDeadLetters() { return ReplayDeadLettersAsync().Get(); }

Future<std::int64_t> Queue::PurgeDeadLettersAsync() {
  return core_->store().RunSteps(
      queue::DeadLetterSweep(core_->ref()->id, queue::DeadLetterSweep::Fate::kPurge),
      &queue::DeadLetterSweep::count);
}
std::int64_t Queue::PurgeDeadLetters() { return PurgeDeadLettersAsync().Get(); }

Future<std::int64_t> Queue::ApplyRetentionAsync(const RetentionPolicy& policy) {
  if (policy.max_age) internal::CheckDuration("max_age", *policy.max_age, Duration::zero());
  if (policy.max_count && *policy.max_count < 0) {
    throw ValidationError("max_count: is negative");
  }
  return core_->store().RunSteps(queue::Retention(core_->ref()->id, policy),
                                 &queue::Retention::removed);
}
std::int64_t Queue::ApplyRetention(const RetentionPolicy& policy) {
  return ApplyRetentionAsync(policy).Get();
}

}  // namespace pgqrs
