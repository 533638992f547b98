#include "api/workflow_refs.h"

#include <utility>

#include "api/arguments.h"
#include "api/store_core.h"
#include "workflow/jobs.h"

namespace pgqrs::internal {

WorkflowRefs::Ref WorkflowRefs::Find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto known = refs_.find(name);
  return known == refs_.end() ? nullptr : known->second;
}

Future<WorkflowRefs::Ref> WorkflowRefs::GetAsync(StoreCore& store, std::string_view name,
                                                 queue::IfMissing if_missing) {
  CheckQueueName(name);
  if (auto known = Find(name)) {
    auto state = std::make_shared<FutureState<Ref>>(nullptr);
    state->Set(std::move(known));
    return Future<Ref>(std::move(state));
  }
  return store.Write([this, name = std::string(name), if_missing](driver::Connection& connection) {
    if (auto known = Find(name)) return known;  // Of a call that came at the same time.
    const auto info = workflow::EnsureWorkflow(connection, name, if_missing);
    auto ref = std::make_shared<workflow::WorkflowRef>();
    ref->id = info.queue_id;
    ref->name = info.name;
    // Before the commit: should that fail, the first use finds out that there is no such queue.
    Keep(name, ref);
    return Ref(std::move(ref));
  });
}

WorkflowRefs::Ref WorkflowRefs::Get(StoreCore& store, std::string_view name,
                                    queue::IfMissing if_missing) {
  return GetAsync(store, name, if_missing).Get();
}

void WorkflowRefs::Keep(const std::string& name, const Ref& ref) {
  const std::lock_guard lock(mutex_);
  refs_.insert_or_assign(name, ref);
}

void WorkflowRefs::Forget(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto known = refs_.find(name);
  if (known != refs_.end()) refs_.erase(known);
}

}  // namespace pgqrs::internal
