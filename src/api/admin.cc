#include <pgqrs/admin.h>
#include <pgqrs/error.h>

#include <string>

#include "api/arguments.h"
#include "api/moved_from.h"
#include "api/store_core.h"
#include "queue/browse.h"
#include "queue/metrics.h"
#include "queue/queues.h"
#include "queue/schema.h"
#include "queue/workers.h"

namespace pgqrs {
namespace {

constexpr Duration kNoTime = Duration::zero();

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += "\n  " + line;
  return text;
}

}  // namespace

const std::shared_ptr<internal::StoreCore>& Admin::core() const {
  return internal::CheckNotMovedFrom(core_, "an Admin");
}

Future<void> Admin::InstallAsync() { return core()->Install(); }
void Admin::Install() { InstallAsync().Get(); }

Future<void> Admin::VerifyAsync() {
  return core()->Read([dialect = core()->dialect()](driver::Connection& connection) {
    const auto problems = queue::FindDamage(connection, dialect);
    if (!problems.empty()) throw SchemaError("the database is damaged:" + Joined(problems));
  });
}
void Admin::Verify() { VerifyAsync().Get(); }

Future<std::vector<QueueInfo>> Admin::QueuesAsync() { return core()->Read(queue::ListQueues); }
std::vector<QueueInfo> Admin::Queues() { return QueuesAsync().Get(); }

Future<std::vector<WorkerInfo>> Admin::WorkersAsync() { return core()->Read(queue::ListWorkers); }
std::vector<WorkerInfo> Admin::Workers() { return WorkersAsync().Get(); }

Future<WorkerInfo> Admin::WorkerAsync(std::int64_t worker_id) {
  return core()->Read([worker_id](driver::Connection& connection) {
    return queue::GetWorker(connection, worker_id);
  });
}
WorkerInfo Admin::Worker(std::int64_t worker_id) { return WorkerAsync(worker_id).Get(); }

Future<std::vector<MessageInfo>> Admin::MessagesAsync(const Page& page) {
  internal::CheckPage(page);
  return core()->Read(
      [page](driver::Connection& connection) { return queue::ListMessages(connection, page); });
}
std::vector<MessageInfo> Admin::Messages(const Page& page) { return MessagesAsync(page).Get(); }

Future<std::vector<QueueMetrics>> Admin::MetricsAsync() {
  return core()->Read(queue::MeasureAllQueues);
}
std::vector<QueueMetrics> Admin::Metrics() { return MetricsAsync().Get(); }

Future<std::vector<WorkerInfo>> Admin::StaleWorkersAsync(Duration timeout) {
  internal::CheckDuration("timeout", timeout, kNoTime);
  return core()->Read([timeout](driver::Connection& connection) {
    return queue::StaleWorkers(connection, timeout);
  });
}
std::vector<WorkerInfo> Admin::StaleWorkers(Duration timeout) {
  return StaleWorkersAsync(timeout).Get();
}

Future<std::vector<WorkerHealth>> Admin::WorkerHealthAsync(std::optional<Duration> timeout) {
  const auto limit = timeout.value_or(core()->live_within());
  internal::CheckDuration("timeout", limit, kNoTime);
  return core()->Read([limit](driver::Connection& connection) {
    return queue::SummarizeWorkers(connection, limit);
  });
}
std::vector<WorkerHealth> Admin::WorkerHealth(std::optional<Duration> timeout) {
  return WorkerHealthAsync(timeout).Get();
}

Future<std::int64_t> Admin::PurgeStaleWorkersAsync(Duration timeout) {
  internal::CheckDuration("timeout", timeout, kNoTime);
  return core()->RunSteps(queue::StaleWorkerPurge(timeout), &queue::StaleWorkerPurge::purged);
}
std::int64_t Admin::PurgeStaleWorkers(Duration timeout) {
  return PurgeStaleWorkersAsync(timeout).Get();
}

Future<std::int64_t> Admin::ReleaseWorkerMessagesAsync(std::int64_t worker_id) {
  return core()->RunSteps(queue::WorkerRelease(worker_id), &queue::WorkerRelease::released);
}
std::int64_t Admin::ReleaseWorkerMessages(std::int64_t worker_id) {
  return ReleaseWorkerMessagesAsync(worker_id).Get();
}

}  // namespace pgqrs
