// The store: one database with its queues.
#ifndef PGQRS_STORE_H_
#define PGQRS_STORE_H_

#include <pgqrs/admin.h>
#include <pgqrs/config.h>
#include <pgqrs/future.h>
#include <pgqrs/message.h>
#include <pgqrs/queue.h>
#include <pgqrs/records.h>
#include <pgqrs/workflow.h>
#include <pgqrs/workflows.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace pgqrs {

namespace internal {
class StoreCore;
class StoreHandle;
}  // namespace internal

// An open database. Copies are cheap and share it; every call works from any thread. A program
// normally has one store for each database.
//
// When the last copy is destroyed the store closes: requests that are under way are finished,
// messages that its own worker still holds are given back, and its threads end. Queues, messages
// and workers made from it may outlive it, but their calls then throw Error.
//
// A store belongs to the process that opened it: after fork its calls throw in the child, and the
// parent is unaffected. The child may open stores of its own, but no file of SQLite or Turso that
// was open at the fork: they cannot bear that, and Connect refuses it. Open stores after the fork,
// or call exec.
class PgqrsStore {
 public:
  // Opens the database; see Config::dsn. Installs the schema where there is none, and upgrades an
  // older one of an embedded database. That of a server, which other programs may be at work on,
  // is upgraded by Admin().Install() only; until then every other call throws SchemaError. Throws
  // ConfigError for a DSN or field without meaning, PgqrsConnectionError where the database cannot
  // be opened (at once, but for a file that is locked, which is waited for), and SchemaError where
  // what is in it is newer than this library or another program's, in which case no table is
  // touched.
  static PgqrsStore Connect(std::string_view dsn);
  static PgqrsStore Connect(const Config& config);

  // Opens the queue of this name, and creates it where it is missing. A name has 1 to 255 bytes of
  // UTF-8 without control characters (else ValidationError); case matters.
  pgqrs::Queue Queue(std::string_view name);
  Future<pgqrs::Queue> QueueAsync(std::string_view name);

  // Creates a queue; QueueAlreadyExistsError where it exists.
  pgqrs::Queue CreateQueue(std::string_view name);
  Future<pgqrs::Queue> CreateQueueAsync(std::string_view name);

  // Opens an existing queue; QueueNotFoundError where there is none.
  pgqrs::Queue OpenQueue(std::string_view name);
  Future<pgqrs::Queue> OpenQueueAsync(std::string_view name);

  // Removes a queue with its archive and dead letters. Refuses with ValidationError while messages
  // wait, are delayed or leased, or live workers refer to it; with `force` it removes everything,
  // in small transactions. QueueNotFoundError where there is none.
  void DeleteQueue(std::string_view name, bool force = false);
  Future<void> DeleteQueueAsync(std::string_view name, bool force = false);

  // Removes the waiting and delayed messages of a queue and gives their number. Leased ones stay
  // with their holders. QueueNotFoundError where there is none.
  std::int64_t PurgeQueue(std::string_view name);
  Future<std::int64_t> PurgeQueueAsync(std::string_view name);

  // All queues, by name.
  std::vector<QueueInfo> ListQueues();
  Future<std::vector<QueueInfo>> ListQueuesAsync();

  // Acks messages by id that this store's own worker holds (those that the calls of Queue gave
  // out). False for an id that is unknown or not held by it. Message::Ack is the safer form: it
  // also tells this lease from a later one of the same store.
  bool Ack(std::int64_t message_id);
  Future<bool> AckAsync(std::int64_t message_id);
  std::vector<bool> Ack(std::span<const std::int64_t> message_ids);
  Future<std::vector<bool>> AckAsync(std::span<const std::int64_t> message_ids);

  // Acks many messages at once, each through its own lease. ValidationError, with nothing acked,
  // where one of them came from another store.
  std::vector<bool> Ack(std::span<const Message> messages);
  Future<std::vector<bool>> AckAsync(std::span<const Message> messages);

  // A message by its id, in whatever state it is. Nothing where there is none.
  std::optional<MessageInfo> FindMessage(std::int64_t message_id);
  Future<std::optional<MessageInfo>> FindMessageAsync(std::int64_t message_id);

  // Triggers a run of a workflow, which is made where it is missing. It becomes durable before this
  // returns, and a WorkflowWorker of any process executes it.
  template <typename Input, typename Output>
  Run<Output> Trigger(const Workflow<Input, Output>& workflow,
                      const std::type_identity_t<Input>& input = {},
                      const TriggerOptions& options = {}) {
    return Run<Output>(TriggerRun(*workflow.definition(), ToJson<Input>(input), options));
  }
  template <typename Input, typename Output>
  Future<Run<Output>> TriggerAsync(const Workflow<Input, Output>& workflow,
                                   const std::type_identity_t<Input>& input = {},
                                   const TriggerOptions& options = {}) {
    return TriggerRunAsync(*workflow.definition(), ToJson<Input>(input), options)
        .Then([](Future<RunHandle> handle) { return Run<Output>(handle.Get()); });
  }

  // What else there is to do with workflows and their runs.
  pgqrs::Workflows Workflows();

  pgqrs::Admin Admin();

  // The id of the store's own worker; 0 before its first enqueue or dequeue.
  std::int64_t worker_id() const;

  // What the engine has done so far.
  pgqrs::EngineMetrics EngineMetrics() const;

 private:
  friend class RunControl;
  friend class WorkflowWorker;

  RunHandle TriggerRun(const WorkflowDefinition& workflow, const Json& input,
                       const TriggerOptions& options);
  Future<RunHandle> TriggerRunAsync(const WorkflowDefinition& workflow, const Json& input,
                                    const TriggerOptions& options);

  explicit PgqrsStore(std::shared_ptr<internal::StoreHandle> handle);
  internal::StoreCore& core() const;

  std::shared_ptr<internal::StoreHandle> handle_;
};

}  // namespace pgqrs

#endif  // PGQRS_STORE_H_
