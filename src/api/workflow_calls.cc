#include "api/workflow_calls.h"

#include <pgqrs/error.h>
#include <pgqrs/workflow.h>

#include <string>
#include <utility>

#include "api/arguments.h"
#include "api/enqueue_calls.h"
#include "api/workflow_refs.h"
#include "workflow/request.h"

namespace pgqrs::internal {
namespace {

// What a trigger was called with, for as long as it takes.
struct TriggerCall {
  std::shared_ptr<StoreCore> store;
  std::string workflow;
  queue::IfMissing if_missing;
  std::optional<int> version;
  Json input;
  TriggerOptions options;
};

// What requests for a run have in common.
template <typename Request>
void Fill(Request& request, const TriggerCall& trigger) {
  request.bytes += trigger.input.text().size() + sizeof(Json);
  request.producer = trigger.store->own_worker();
  request.priority = trigger.options.priority;
  request.delay = trigger.options.delay;
}

// Without a key many triggers are one group.
CallPtr<RunHandle, queue::EnqueueRequest> MakeEnqueue(const TriggerCall& trigger,
                                                      const WorkflowRefs::Ref& ref) {
  auto call = trigger.store->MakeCall<RunHandle, queue::EnqueueRequest>(
      [store = trigger.store](queue::EnqueueRequest& request) {
        return RunHandle(store, request.ids.front());
      });
  Fill(*call, trigger);
  call->queue = ref;
  call->payloads = {trigger.input};
  call->runs.emplace();
  call->runs->version = trigger.version;
  return call;
}

CallPtr<RunHandle, workflow::TriggerRequest> MakeTrigger(const TriggerCall& trigger,
                                                         const WorkflowRefs::Ref& ref) {
  auto call = trigger.store->MakeCall<RunHandle, workflow::TriggerRequest>(
      [store = trigger.store](workflow::TriggerRequest& request) {
        return RunHandle(store, request.run_id);
      });
  Fill(*call, trigger);
  call->workflow = ref;
  call->input = trigger.input;
  call->idempotency_key = trigger.options.idempotency_key;
  call->version = trigger.version;
  return call;
}

Future<RunHandle> Submit(const TriggerCall& trigger, const WorkflowRefs::Ref& ref) {
  if (trigger.options.idempotency_key.empty()) {
    return trigger.store->Submit(MakeEnqueue(trigger, ref));
  }
  return trigger.store->Submit(MakeTrigger(trigger, ref));
}

RunHandle Run(const TriggerCall& trigger, const WorkflowRefs::Ref& ref) {
  if (trigger.options.idempotency_key.empty()) return trigger.store->Run(MakeEnqueue(trigger, ref));
  return trigger.store->Run(MakeTrigger(trigger, ref));
}

Future<RunHandle> RunLater(TriggerCall trigger) {
  auto& store = *trigger.store;
  auto name = trigger.workflow;
  const auto if_missing = trigger.if_missing;
  return store.workflows().Submit(store, std::move(name), if_missing,
                                  [trigger = std::move(trigger)](const WorkflowRefs::Ref& ref) {
                                    return Submit(trigger, ref);
                                  });
}

TriggerCall Checked(const std::shared_ptr<StoreCore>& store, const TriggerTarget& target,
                    const Json& input, const TriggerOptions& options) {
  constexpr std::size_t kMaxKey = 255;
  CheckQueueName(target.workflow);
  CheckText("idempotency_key", options.idempotency_key, kMaxKey);
  store->CheckUsable();
  CheckEnqueue(*store, input, {.delay = options.delay, .priority = options.priority});
  return {.store = store,
          .workflow = std::string(target.workflow),
          .if_missing = target.if_missing,
          .version = target.version,
          .input = input,
          .options = options};
}

}  // namespace

RunHandle TriggerRun(const std::shared_ptr<StoreCore>& store, const TriggerTarget& target,
                     const Json& input, const TriggerOptions& options) {
  const auto trigger = Checked(store, target, input, options);
  auto& refs = store->workflows();
  if (const auto known = refs.Find(trigger.workflow)) {
    try {
      return Run(trigger, known);
    } catch (const QueueNotFoundError&) {
      refs.Forget(trigger.workflow);
    }
  }
  return Run(trigger, refs.Get(*store, trigger.workflow, trigger.if_missing));
}

Future<RunHandle> TriggerRunAsync(const std::shared_ptr<StoreCore>& store,
                                  const TriggerTarget& target, const Json& input,
                                  const TriggerOptions& options) {
  return RunLater(Checked(store, target, input, options));
}

std::shared_ptr<const WorkflowDefinition> MakeDefinition(std::string name, int version,
                                                         std::function<Json(RunContext&)> body) {
  CheckQueueName(name);
  CheckCount("version", version, 1, std::numeric_limits<int>::max());
  if (!body) throw ValidationError("function: is empty");
  return std::make_shared<const WorkflowDefinition>(
      WorkflowDefinition{.name = std::move(name), .version = version, .body = std::move(body)});
}

}  // namespace pgqrs::internal
