// The workflows that a store knows, so that they need not be looked up each time.
#ifndef PGQRS_API_WORKFLOW_REFS_H_
#define PGQRS_API_WORKFLOW_REFS_H_

#include <pgqrs/error.h>
#include <pgqrs/future.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>

#include "queue/queues.h"
#include "workflow/request.h"

namespace pgqrs::internal {

class StoreCore;

class WorkflowRefs {
 public:
  using Ref = std::shared_ptr<const workflow::WorkflowRef>;

  // Nothing where it is not known yet.
  Ref Find(std::string_view name);

  // Finds the workflow, and makes it where it is missing, or throws QueueNotFoundError with kFail.
  Future<Ref> GetAsync(StoreCore& store, std::string_view name,
                       queue::IfMissing if_missing = queue::IfMissing::kCreate);
  Ref Get(StoreCore& store, std::string_view name,
          queue::IfMissing if_missing = queue::IfMissing::kCreate);

  // Submits a request for the workflow: `submit(ref)` gives its future, and keeps the store alive.
  // A workflow that is known may have been deleted, and another one of its name made; then it is
  // submitted once more.
  template <typename F>
  std::invoke_result_t<F&, const Ref&> Submit(StoreCore& store, std::string name,
                                              queue::IfMissing if_missing, F submit) {
    if (const auto known = Find(name)) {
      try {
        co_return co_await submit(known);
      } catch (const QueueNotFoundError&) {
        Forget(name);
      }
    }
    const auto ref = co_await GetAsync(store, name, if_missing);
    co_return co_await submit(ref);
  }

  // It was deleted, and there may be another one of that name.
  void Forget(std::string_view name);

 private:
  void Keep(const std::string& name, const Ref& ref);

  std::mutex mutex_;
  std::map<std::string, Ref, std::less<>> refs_;
};

}  // namespace pgqrs::internal

#endif  // PGQRS_API_WORKFLOW_REFS_H_
