#include "api/store_core.h"

#include <pgqrs/error.h>
#include <pgqrs/records.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>

#include "api/arguments.h"
#include "queue/queues.h"
#include "queue/rows.h"
#include "queue/schema.h"
#include "queue/workers.h"

namespace pgqrs::internal {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Counts how often this process came out of a fork, so that a store can tell that it is a copy.
std::atomic<std::uint64_t> fork_generation{0};

std::uint64_t ForkGeneration() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { ++fork_generation; });
  static_cast<void>(registered);
  return fork_generation;
}

std::string HostName() {
  std::string name(256, '\0');
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  name.resize(name.find('\0'));
  return name;
}

// Finds or makes the schema. Another process may be doing the same.
void PrepareSchema(driver::Connection& connection, const driver::Database& database,
                   const Config& config) {
  const auto dialect = database.dialect();
  const auto state = queue::InspectSchema(connection, dialect);
  if (state == queue::SchemaState::kMissing && !config.install_schema) {
    throw SchemaError("the database has no pgqrs schema, and install_schema is off");
  }
  if (state == queue::SchemaState::kOlder && !database.is_embedded()) {
    throw SchemaError(
        "the schema of the database is older than this library; run Admin().Install()");
  }
  connection.Adopt();
  if (state != queue::SchemaState::kCurrent) {
    connection.Begin();
    try {
      queue::InstallSchema(connection, dialect);
      connection.Commit();
    } catch (...) {
      connection.Rollback();
      throw;
    }
  }
  try {
    connection.PrepareAll();
  } catch (const driver::Failure& failure) {
    throw SchemaError(std::string("a table of ours has another shape: ") + failure.what() +
                      "; nothing was touched");
  }
}

}  // namespace

std::shared_ptr<StoreCore> StoreCore::Open(const Config& config) {
  CheckConfig(config);
  auto database = driver::MakeDatabase(config);
  auto writer = database->OpenWriter();
  try {
    PrepareSchema(*writer, *database, config);
  } catch (const driver::Failure& failure) {
    throw PgqrsConnectionError(std::string("cannot open the database: ") + failure.what());
  }
  return std::make_shared<StoreCore>(config, std::move(database), std::move(writer));
}

StoreCore::StoreCore(const Config& config, std::unique_ptr<driver::Database> database,
                     std::unique_ptr<driver::Connection> writer)
    : config_(config),
      fork_generation_(ForkGeneration()),
      dialect_(database->dialect()),
      rate_limit_(config.max_enqueue_per_second, config.max_enqueue_burst),
      own_worker_(std::make_shared<queue::Worker>()),
      engine_(config, std::move(database), std::move(writer)) {
  own_worker_->name = HostName() + "/" + std::to_string(getpid());
  AddWorker(own_worker_);
  ScheduleHeartbeat();
}

void StoreCore::CheckUsable() const {
  if (fork_generation.load(std::memory_order_relaxed) != fork_generation_) {
    throw Error("the store was opened before fork; the child must open its own");
  }
}

void StoreCore::AddWorker(const std::shared_ptr<queue::Worker>& worker,
                          std::function<void()> on_close) {
  const std::lock_guard lock(workers_mutex_);
  workers_.push_back({worker, std::move(on_close)});
}

void StoreCore::Retire(const std::shared_ptr<queue::Worker>& worker) {
  {
    const std::lock_guard lock(workers_mutex_);
    std::erase_if(workers_, [&](const OpenWorker& open) { return open.worker == worker; });
  }
  engine_.CancelWaits(worker.get());
  // A job runs behind everything that was submitted before it, so a dequeue that is under way is
  // given back too.
  if (worker->id != 0)
    RunSteps(queue::WorkerRetirement(worker), &queue::WorkerRetirement::done).Get();
}

void StoreCore::ScheduleHeartbeat() {
  // The timer belongs to the engine, which ends before this object does.
  engine_.timer().At(SteadyClock::now() + config_.heartbeat_interval, [this] {
    SendHeartbeats();
    ScheduleHeartbeat();
  });
}

void StoreCore::SendHeartbeats() {
  std::vector<std::int64_t> ids;
  {
    const std::lock_guard lock(workers_mutex_);
    for (const auto& open : workers_) {
      if (open.worker->id != 0) ids.push_back(open.worker->id);
    }
  }
  if (ids.empty()) return;
  struct HeartbeatJob final : queue::JobRequest {
    void Complete() override {}  // An error was logged, and the next one comes soon.
  };
  auto job = std::make_unique<HeartbeatJob>();
  job->step = [ids = std::move(ids)](driver::Connection& connection) {
    queue::SendHeartbeats(connection, ids);
    return false;
  };
  engine_.SubmitNow(std::move(job));
}

void StoreCore::Close() {
  std::vector<OpenWorker> workers;
  {
    const std::lock_guard lock(workers_mutex_);
    workers = workers_;
  }
  for (const auto& open : workers) {
    open.on_close();
    try {
      Retire(open.worker);
    } catch (const std::exception& error) {
      const std::array fields = {LogField{"error", error.what()}};
      engine_.Log(LogLevel::kWarning,
                  "a worker could not be stopped; what it holds comes back when its leases end",
                  fields);
    }
  }
  engine_.Close();
}

}  // namespace pgqrs::internal
