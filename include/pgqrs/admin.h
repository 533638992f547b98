// Work on the database as a whole.
#ifndef PGQRS_ADMIN_H_
#define PGQRS_ADMIN_H_

#include <pgqrs/future.h>
#include <pgqrs/records.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace pgqrs {

namespace internal {
class StoreCore;
}  // namespace internal

// Copyable; every call works from any thread. Durations are from zero to kMaxDuration
// (ValidationError otherwise). Calls throw Error once the store was closed.
class Admin {
 public:
  // Installs or upgrades the schema. Does nothing where it is current; many processes may call it
  // at once.
  void Install();
  Future<void> InstallAsync();

  // Checks that the database is sound: the schema is exactly this library's, every slice and
  // archive row refers to a batch, no message is in two places, masks and counts agree, and the
  // database's own integrity check passes. Throws SchemaError, which lists what is wrong (up to 100
  // lines), or InternalError where it cannot be read. Reads everything, beside the load: minutes on
  // a large database.
  void Verify();
  Future<void> VerifyAsync();

  std::vector<QueueInfo> Queues();
  Future<std::vector<QueueInfo>> QueuesAsync();

  std::vector<WorkerInfo> Workers();
  Future<std::vector<WorkerInfo>> WorkersAsync();

  // WorkerNotFoundError where there is none.
  WorkerInfo Worker(std::int64_t worker_id);
  Future<WorkerInfo> WorkerAsync(std::int64_t worker_id);

  // Messages of all queues and states, a page at a time. ValidationError for a page that is none.
  std::vector<MessageInfo> Messages(const Page& page = {});
  Future<std::vector<MessageInfo>> MessagesAsync(const Page& page = {});

  // The metrics of every queue, by name.
  std::vector<QueueMetrics> Metrics();
  Future<std::vector<QueueMetrics>> MetricsAsync();

  // Workers, not Stopped, whose heartbeat is older than `timeout`.
  std::vector<WorkerInfo> StaleWorkers(Duration timeout);
  Future<std::vector<WorkerInfo>> StaleWorkersAsync(Duration timeout);

  // How many workers each queue has, by its name, and last how many serve any queue, where there
  // are any. Stale are those that StaleWorkers gives; without a time-out, those that DeleteQueue
  // does not take for live ones: they have missed twelve heartbeats (Config::heartbeat_interval).
  std::vector<pgqrs::WorkerHealth> WorkerHealth(std::optional<Duration> timeout = {});
  Future<std::vector<pgqrs::WorkerHealth>> WorkerHealthAsync(std::optional<Duration> timeout = {});

  // Gives back what stale workers hold and removes their rows. Gives the number of these workers.
  //
  // Rows of workers that have been Stopped for longer than `timeout` and hold nothing go too,
  // uncounted: each store, consumer and QueueWorker leaves one, and without this they pile up. What
  // is stored of a message keeps the ids of its workers, which are never given to others.
  std::int64_t PurgeStaleWorkers(Duration timeout);
  Future<std::int64_t> PurgeStaleWorkersAsync(Duration timeout);

  // Makes everything that a worker holds visible at once, and gives the number of messages.
  // WorkerNotFoundError where there is none.
  std::int64_t ReleaseWorkerMessages(std::int64_t worker_id);
  Future<std::int64_t> ReleaseWorkerMessagesAsync(std::int64_t worker_id);

 private:
  friend class PgqrsStore;
  explicit Admin(std::shared_ptr<internal::StoreCore> core) : core_(std::move(core)) {}
  const std::shared_ptr<internal::StoreCore>& core() const;

  std::shared_ptr<internal::StoreCore> core_;
};

}  // namespace pgqrs

#endif  // PGQRS_ADMIN_H_
