#include "api/store_core.h"

#include <pgqrs/error.h>
#include <pgqrs/records.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <span>

#include "api/arguments.h"
#include "queue/queues.h"
#include "queue/rows.h"
#include "queue/schema.h"
#include "queue/workers.h"
#include "util/fork.h"
#include "util/show.h"

namespace pgqrs::internal {
namespace {

// A server's schema is upgraded under orders only: other programs may still be at work on it.
constexpr const char* kOlderSchema =
    "the schema of the database is older than this library; run Admin().Install()";

using SteadyClock = std::chrono::steady_clock;

// A minute, unless heartbeats were set to come more often or more rarely.
constexpr int kHeartbeatsPerCompaction = 12;

std::string HostName() {
  std::string name(256, '\0');
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  name.resize(name.find('\0'));
  return name;
}

// Finds or makes the schema, and answers how it was found. Another process may be doing the same.
queue::SchemaState PrepareSchema(driver::Connection& connection, const driver::Database& database,
                                 const Config& config) {
  const auto dialect = database.dialect();
  const auto state = queue::InspectSchema(connection, dialect);
  if (state == queue::SchemaState::kMissing && !config.install_schema) {
    throw SchemaError("the database has no pgqrs schema, and install_schema is off");
  }
  if (state == queue::SchemaState::kOlder && !database.is_embedded()) return state;
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
    const auto view_trigger = sql::Text(dialect, sql::Statement::kCreateViewTrigger);
    if (!view_trigger.empty()) connection.RunScript(view_trigger);
  } catch (const driver::Failure& failure) {
    if (failure.fault() != driver::Fault::kStatement) throw;
    throw SchemaError(std::string("a table of ours has another shape: ") + failure.what() +
                      "; no table was touched");
  }
  return state;
}

}  // namespace

std::shared_ptr<StoreCore> StoreCore::Open(const Config& config) {
  CheckConfig(config);
  auto database = driver::MakeDatabase(config);
  auto writer = database->OpenWriter();
  auto state = queue::SchemaState::kMissing;
  bool is_older = false;
  bool has_closed_queues = false;
  try {
    state = PrepareSchema(*writer, *database, config);
    is_older = state == queue::SchemaState::kOlder && !database->is_embedded();
    has_closed_queues = !is_older && queue::ClosedQueueRemoval::IsNeeded(*writer);
  } catch (const driver::Failure& failure) {
    throw PgqrsConnectionError(std::string("cannot open the database: ") + failure.what());
  }
  auto core = std::make_shared<StoreCore>(config, std::move(database), std::move(writer));
  const std::array fields = {LogField{"dialect", core->dialect_}};
  core->schema_is_older_ = is_older;
  if (is_older) {
    core->engine_.Log(LogLevel::kWarning, kOlderSchema, fields);
  } else if (state != queue::SchemaState::kCurrent) {
    core->engine_.Log(LogLevel::kInfo, "the schema was installed", fields);
  }
  core->engine_.Log(LogLevel::kDebug, "the store is open", fields);
  if (has_closed_queues) core->FinishDeletions();
  return core;
}

StoreCore::StoreCore(const Config& config, std::unique_ptr<driver::Database> database,
                     std::unique_ptr<driver::Connection> writer)
    : config_(config),
      fork_generation_(util::ForkGeneration()),
      dialect_(database->dialect()),
      is_embedded_(database->is_embedded()),
      check_json_(database->check_json()),
      rate_limit_(config.max_enqueue_per_second, config.max_enqueue_burst),
      own_worker_(std::make_shared<queue::Worker>()),
      engine_(config, std::move(database), std::move(writer)) {
  engine_.OnRunsEnded(
      [this](std::span<const std::int64_t> run_ids) { run_waiters_.Wake(run_ids); });
  own_worker_->name = HostName() + "/" + std::to_string(getpid());
  AddWorker(own_worker_);
  Schedule(std::make_shared<Chore>(config_.heartbeat_interval, [this] { return Heartbeats(); }));
  // Whichever stores are open do what the tables of a server need from time to time.
  if (!is_embedded_) {
    Schedule(std::make_shared<Chore>(kHeartbeatsPerCompaction * config_.heartbeat_interval,
                                     [] { return queue::CompactSlices; }));
  }
}

Future<void> StoreCore::Install() {
  CheckNotForked();
  auto call = std::make_unique<Call<void, queue::JobRequest>>(
      &engine_.callbacks(), [this](queue::JobRequest&) { schema_is_older_ = false; });
  call->step = [this](driver::Connection& connection) {
    queue::InstallSchema(connection, dialect_);
    return false;
  };
  return Submit(std::move(call));
}

void StoreCore::FinishDeletions() {
  engine_.Log(LogLevel::kInfo, "the deletion of a queue was interrupted; it goes on");
  // Nobody waits for it: an error is logged, and the next opening tries again.
  SubmitNow(MakeSteps(queue::ClosedQueueRemoval()));
}

void StoreCore::CheckUsable() const {
  CheckNotForked();
  if (engine_.IsInTransaction()) {
    throw Error(
        "the store was used inside of a transaction step, whose transaction would wait for itself; "
        "use the Transaction that the step was given");
  }
  if (schema_is_older_) throw SchemaError(kOlderSchema);
}

void StoreCore::CheckNotForked() const {
  if (util::ForkGeneration() != fork_generation_) {
    throw Error("the store was opened before fork, and belongs to the parent process");
  }
}

void StoreCore::CheckPayload(const Json& payload) const {
  internal::CheckPayload(config_, check_json_, payload);
}

void StoreCore::CheckOutput(const Json& output) const {
  if (output.text().size() > config_.max_payload_size) {
    throw ValidationError("output: has " + util::ShowBytes(output.text().size()) +
                          "; max_payload_size is " + util::ShowBytes(config_.max_payload_size));
  }
  if (check_json_ != nullptr) check_json_(output.text());
}

void StoreCore::AddWorker(const std::shared_ptr<queue::Worker>& worker,
                          std::function<void()> on_close) {
  const std::lock_guard lock(workers_mutex_);
  // Nobody would tell it of the end.
  if (is_closing_) throw Error("the store is closed");
  workers_.push_back({worker, std::move(on_close)});
}

Future<void> StoreCore::Retire(const std::shared_ptr<queue::Worker>& worker) {
  {
    const std::lock_guard lock(workers_mutex_);
    std::erase_if(workers_, [&](const OpenWorker& open) { return open.worker == worker; });
  }
  worker->is_retired = true;
  engine_.CancelWaits(worker.get());
  // A job runs behind everything that was submitted before it, so a dequeue that is under way is
  // given back too, and a worker whose row such a request makes is known by then.
  return SubmitNow(MakeSteps(queue::WorkerRetirement(worker)));
}

void StoreCore::Schedule(const std::shared_ptr<Chore>& chore) {
  // The timer belongs to the engine, which ends before this object does.
  engine_.timer().At(SteadyClock::now() + chore->interval, [this, chore] {
    Start(chore);
    Schedule(chore);
  });
}

// Where the database is locked for long one job of a kind waits at a time.
void StoreCore::Start(const std::shared_ptr<Chore>& chore) {
  struct ChoreJob final : queue::JobRequest {
    // Errors were logged; it comes again.
    void Complete() override { chore->is_under_way = false; }
    std::shared_ptr<Chore> chore;
  };
  if (schema_is_older_ || chore->is_under_way) return;
  auto work = chore->next();
  if (!work) return;
  chore->is_under_way = true;
  auto job = std::make_unique<ChoreJob>();
  job->chore = chore;
  job->may_free_messages = false;
  job->step = [work = std::move(work)](driver::Connection& connection) {
    work(connection);
    return false;
  };
  engine_.SubmitNow(std::move(job));
}

StoreCore::ChoreWork StoreCore::Heartbeats() {
  std::vector<std::int64_t> ids;
  {
    const std::lock_guard lock(workers_mutex_);
    for (const auto& open : workers_) {
      if (open.worker->id != 0) ids.push_back(open.worker->id);
    }
  }
  if (ids.empty()) return {};
  return [ids = std::move(ids)](driver::Connection& connection) {
    queue::SendHeartbeats(connection, ids);
  };
}

void StoreCore::Close() {
  std::vector<OpenWorker> workers;
  {
    const std::lock_guard lock(workers_mutex_);
    is_closing_ = true;
    if (!schema_is_older_) workers = workers_;  // None was registered.
  }
  std::vector<Future<void>> retirements;
  for (const auto& open : workers) {
    open.on_close();
    retirements.push_back(Retire(open.worker));
  }
  run_waiters_.Close();
  for (auto& retirement : retirements) {
    try {
      retirement.Get();
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
