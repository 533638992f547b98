// Definitions of workflows: functions whose steps survive the death of the process.
#ifndef PGQRS_WORKFLOW_H_
#define PGQRS_WORKFLOW_H_

#include <pgqrs/json.h>
#include <pgqrs/json_converter.h>
#include <pgqrs/run_context.h>

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace pgqrs {

// What a worker needs of a workflow, whatever its types.
struct WorkflowDefinition {
  std::string name;
  int version = 1;
  std::function<Json(RunContext& run)> body;
};

// A workflow by its types: what Trigger, Child and WorkflowWorker take. Made by DefineWorkflow.
// Copies are cheap and share the function.
template <typename Input, typename Output>
class Workflow {
 public:
  explicit Workflow(std::shared_ptr<const WorkflowDefinition> definition)
      : definition_(std::move(definition)) {}

  const std::string& name() const { return definition_->name; }
  int version() const { return definition_->version; }
  const std::shared_ptr<const WorkflowDefinition>& definition() const { return definition_; }

 private:
  std::shared_ptr<const WorkflowDefinition> definition_;
};

namespace internal {

// ValidationError where the name is no name of a queue, the version is below 1, or the function is
// empty.
std::shared_ptr<const WorkflowDefinition> MakeDefinition(std::string name, int version,
                                                         std::function<Json(RunContext&)> body);

// void as a value.
template <typename T>
using ValueOf = std::conditional_t<std::is_void_v<T>, std::monostate, std::remove_cvref_t<T>>;

template <typename F>
struct WorkflowTypes : WorkflowTypes<decltype(&std::remove_cvref_t<F>::operator())> {};
template <typename R, typename... Rest>
struct WorkflowTypes<R (*)(RunContext&, Rest...)> {
  static_assert(sizeof...(Rest) <= 1, "a workflow takes a RunContext& and one input at most");
  using Output = R;
  using Input = std::remove_cvref_t<std::tuple_element_t<0, std::tuple<Rest..., std::monostate>>>;
  static constexpr bool kHasInput = sizeof...(Rest) == 1;
};
template <typename R, typename C, typename... Rest>
struct WorkflowTypes<R (C::*)(RunContext&, Rest...) const>
    : WorkflowTypes<R (*)(RunContext&, Rest...)> {};
template <typename R, typename C, typename... Rest>
struct WorkflowTypes<R (C::*)(RunContext&, Rest...)> : WorkflowTypes<R (*)(RunContext&, Rest...)> {
};

}  // namespace internal

// Defines a workflow. `function` is called as `function(run, input)`, or `function(run)` where it
// needs no input; its types say what Trigger takes and Result gives, and JsonConverter has to know
// them. One execution runs on one thread, but several runs call the same function at once.
//
//   auto greet = pgqrs::DefineWorkflow("greet", [](pgqrs::RunContext& run, const std::string& name)
//   {
//     auto text = run.Step("compose", [&] { return "Hello " + name; });
//     run.Sleep(std::chrono::hours(1));
//     run.Step("send", [&] { Send(text); });
//     return text;
//   });
//
// After the death of a process the function is called again from its beginning, and each call of
// `run` that is recorded gives what it gave before. So between these calls the function must do the
// same each time: take time, random numbers and everything from outside through `run`, and no side
// effect but in steps.
//
// The name is that of the queue in which runs wait; it has 1 to 255 bytes of UTF-8 without control
// characters. A function that is changed so that it no longer matches recorded runs needs a higher
// `version`, from 1: runs go on with the version that they began with, as long as a worker has it.
template <typename F>
auto DefineWorkflow(std::string name, int version, F function) {
  using Types = internal::WorkflowTypes<F>;
  using Input = typename Types::Input;
  using Output = typename Types::Output;
  auto body = [function = std::move(function)](RunContext& run) mutable -> Json {
    const auto call = [&]() -> Output {
      if constexpr (Types::kHasInput) {
        return function(run, run.Input<Input>());
      } else {
        return function(run);
      }
    };
    if constexpr (std::is_void_v<Output>) {
      call();
      return {};
    } else {
      return ToJson<internal::ValueOf<Output>>(call());
    }
  };
  return Workflow<Input, internal::ValueOf<Output>>(
      internal::MakeDefinition(std::move(name), version, std::move(body)));
}
template <typename F>
auto DefineWorkflow(std::string name, F function) {
  return DefineWorkflow(std::move(name), 1, std::move(function));
}

}  // namespace pgqrs

#endif  // PGQRS_WORKFLOW_H_
