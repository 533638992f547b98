#include <pgqrs/error.h>
#include <pgqrs/store.h>

#include <string>
#include <utility>

#include "api/arguments.h"
#include "api/moved_from.h"
#include "api/settle_calls.h"
#include "api/store_core.h"
#include "api/workflow_calls.h"
#include "api/workflow_worker_core.h"
#include "queue/browse.h"
#include "queue/queues.h"

namespace pgqrs {
namespace internal {

// What the copies of a PgqrsStore share. The last one closes the store.
class StoreHandle {
 public:
  explicit StoreHandle(std::shared_ptr<StoreCore> owned) : core_(std::move(owned)) {}
  StoreHandle(const StoreHandle&) = delete;
  StoreHandle& operator=(const StoreHandle&) = delete;

  ~StoreHandle() {
    try {
      core_->CheckNotForked();
    } catch (const Error&) {
      // In a forked child there are no threads to join, and what SQLite keeps of the file is not to
      // be touched. Everything stays where it is.
      static_cast<void>(new std::shared_ptr<StoreCore>(std::move(core_)));
      return;
    }
    core_->Close();
  }

  StoreCore& core() const { return *core_; }
  const std::shared_ptr<StoreCore>& shared_core() const { return core_; }

 private:
  std::shared_ptr<StoreCore> core_;
};

}  // namespace internal

using internal::MessageAccess;
using internal::QueueCore;
using internal::StoreCore;

PgqrsStore::PgqrsStore(std::shared_ptr<internal::StoreHandle> handle)
    : handle_(std::move(handle)) {}

StoreCore& PgqrsStore::core() const {
  auto& core = internal::CheckNotMovedFrom(handle_, "a PgqrsStore")->core();
  core.CheckNotForked();
  return core;
}

PgqrsStore PgqrsStore::Connect(std::string_view dsn) { return Connect(Config(std::string(dsn))); }

PgqrsStore PgqrsStore::Connect(const Config& config) {
  return PgqrsStore(std::make_shared<internal::StoreHandle>(StoreCore::Open(config)));
}

namespace {

// The three ways to get a queue differ only in what they do where it exists or does not.
Future<Queue> GetQueue(const std::shared_ptr<StoreCore>& core, std::string_view name,
                       queue::IfMissing if_missing) {
  internal::CheckQueueName(name);
  auto info = std::make_shared<QueueInfo>();
  auto call = core->MakeCall<Queue, queue::JobRequest>([core, info](queue::JobRequest&) {
    auto ref = std::make_shared<queue::QueueRef>();
    ref->id = info->id;
    ref->name = info->queue_name;
    return internal::QueueAccess::Make(std::make_shared<QueueCore>(core, std::move(ref)));
  });
  call->step = [info, name = std::string(name), if_missing](driver::Connection& connection) {
    *info = queue::GetQueue(connection, name, if_missing);
    return false;
  };
  return core->Submit(std::move(call));
}

}  // namespace

Future<Queue> PgqrsStore::QueueAsync(std::string_view name) {
  core();
  return GetQueue(handle_->shared_core(), name, queue::IfMissing::kCreate);
}
Queue PgqrsStore::Queue(std::string_view name) { return QueueAsync(name).Get(); }

Future<Queue> PgqrsStore::CreateQueueAsync(std::string_view name) {
  core();
  return GetQueue(handle_->shared_core(), name, queue::IfMissing::kCreateStrictly);
}
Queue PgqrsStore::CreateQueue(std::string_view name) { return CreateQueueAsync(name).Get(); }

Future<Queue> PgqrsStore::OpenQueueAsync(std::string_view name) {
  core();
  return GetQueue(handle_->shared_core(), name, queue::IfMissing::kFail);
}
Queue PgqrsStore::OpenQueue(std::string_view name) { return OpenQueueAsync(name).Get(); }

Future<void> PgqrsStore::DeleteQueueAsync(std::string_view name, bool force) {
  internal::CheckQueueName(name);
  return core().Submit(
      core().MakeSteps(queue::QueueDeletion(std::string(name), force, core().live_within())));
}
void PgqrsStore::DeleteQueue(std::string_view name, bool force) {
  DeleteQueueAsync(name, force).Get();
}

Future<std::int64_t> PgqrsStore::PurgeQueueAsync(std::string_view name) {
  internal::CheckQueueName(name);
  return core().RunSteps(queue::QueuePurge(std::string(name)), &queue::QueuePurge::purged);
}
std::int64_t PgqrsStore::PurgeQueue(std::string_view name) { return PurgeQueueAsync(name).Get(); }

Future<std::vector<QueueInfo>> PgqrsStore::ListQueuesAsync() {
  return core().Read(queue::ListQueues);
}
std::vector<QueueInfo> PgqrsStore::ListQueues() { return ListQueuesAsync().Get(); }

namespace {

// The three ways to name what is to be acked.
auto AckCall(StoreCore& core, std::int64_t message_id) {
  return internal::SettleOne(core, core.own_worker(), {.message_id = message_id},
                             internal::Settlement::Ack());
}
auto AckCall(StoreCore& core, std::span<const std::int64_t> message_ids) {
  return internal::SettleMany(core, core.own_worker(), internal::TargetsOf(message_ids),
                              internal::Settlement::Ack());
}
auto AckCall(StoreCore& core, std::span<const Message> messages) {
  internal::Targets targets;
  targets.reserve(messages.size());
  for (const auto& message : messages) {
    // Its lease means nothing here, or the lease of another message.
    if (&MessageAccess::Store(message) != &core) {
      throw ValidationError("message " + std::to_string(message.id()) + ": is of another store");
    }
    targets.push_back(MessageAccess::Target(message));
  }
  return internal::SettleMany(core, nullptr, std::move(targets), internal::Settlement::Ack());
}

}  // namespace

Future<bool> PgqrsStore::AckAsync(std::int64_t message_id) {
  return core().Submit(AckCall(core(), message_id));
}
bool PgqrsStore::Ack(std::int64_t message_id) { return core().Run(AckCall(core(), message_id)); }

Future<std::vector<bool>> PgqrsStore::AckAsync(std::span<const std::int64_t> message_ids) {
  return core().Submit(AckCall(core(), message_ids));
}
std::vector<bool> PgqrsStore::Ack(std::span<const std::int64_t> message_ids) {
  return core().Run(AckCall(core(), message_ids));
}

Future<std::vector<bool>> PgqrsStore::AckAsync(std::span<const Message> messages) {
  return core().Submit(AckCall(core(), messages));
}
std::vector<bool> PgqrsStore::Ack(std::span<const Message> messages) {
  return core().Run(AckCall(core(), messages));
}

Future<std::optional<MessageInfo>> PgqrsStore::FindMessageAsync(std::int64_t message_id) {
  return core().Read([message_id](driver::Connection& connection) {
    return queue::FindMessage(connection, message_id);
  });
}
std::optional<MessageInfo> PgqrsStore::FindMessage(std::int64_t message_id) {
  return FindMessageAsync(message_id).Get();
}

RunHandle PgqrsStore::TriggerRun(const WorkflowDefinition& workflow, const Json& input,
                                 const TriggerOptions& options) {
  core();
  return internal::TriggerRun(handle_->shared_core(),
                              {.workflow = workflow.name, .version = workflow.version}, input,
                              options);
}
Future<RunHandle> PgqrsStore::TriggerRunAsync(const WorkflowDefinition& workflow, const Json& input,
                                              const TriggerOptions& options) {
  core();
  return internal::TriggerRunAsync(handle_->shared_core(),
                                   {.workflow = workflow.name, .version = workflow.version}, input,
                                   options);
}

Workflows PgqrsStore::Workflows() {
  core();
  return pgqrs::Workflows(handle_->shared_core());
}

WorkflowWorker::WorkflowWorker(const PgqrsStore& store, const std::vector<AnyWorkflow>& workflows,
                               const WorkflowWorkerOptions& options) {
  store.core();
  core_ = std::make_shared<internal::WorkflowWorkerCore>(store.handle_->shared_core(), workflows,
                                                         options);
}
WorkflowWorker::~WorkflowWorker() { core_->Shutdown(); }
void WorkflowWorker::Run() { core_->Run(); }
void WorkflowWorker::Start() { core_->Start(); }
void WorkflowWorker::RequestStop() { core_->RequestStop(); }
bool WorkflowWorker::Stop(Duration deadline) { return core_->Stop(deadline); }
WorkflowWorker::Counts WorkflowWorker::counts() const { return core_->counts(); }

Admin PgqrsStore::Admin() {
  core();
  return pgqrs::Admin(handle_->shared_core());
}

std::int64_t PgqrsStore::worker_id() const { return core().own_worker()->id; }

EngineMetrics PgqrsStore::EngineMetrics() const { return core().engine().Metrics(); }

}  // namespace pgqrs
