#include "workflow/workflow_test.h"

#include "queue/schema.h"

namespace pgqrs::testing {

RunStore::RunStore(const Config& config, std::string_view workflow)
    : RunStore(internal::StoreCore::Open(config), workflow) {
  owns_ = true;
}

RunStore::RunStore(std::shared_ptr<internal::StoreCore> core, std::string_view workflow)
    : core_(std::move(core)) {
  const auto info = Job([name = std::string(workflow)](driver::Connection& connection) {
    return workflow::EnsureWorkflow(connection, name);
  });
  auto ref = std::make_shared<queue::QueueRef>();
  ref->id = info.queue_id;
  ref->name = info.name;
  ref_ = std::move(ref);
  worker_->name = "tester";
}

RunStore::~RunStore() {
  if (core_ && owns_) core_->Close();
}

std::int64_t RunStore::Trigger(std::string_view input, std::optional<Duration> delay) {
  return Send<queue::EnqueueRequest>(
             [&](queue::EnqueueRequest& request) {
               request.queue = ref_;
               request.producer = worker_;
               request.delay = delay;
               request.payloads.emplace_back(input);
               request.runs.emplace();
             },
             [](queue::EnqueueRequest& request) { return request.ids.at(0); })
      .Get();
}

Future<RunStore::Triggered> RunStore::TriggerWithKeyAsync(const std::string& key,
                                                          std::string_view input) {
  return Send<workflow::TriggerRequest>(
      [&](workflow::TriggerRequest& request) {
        request.workflow = ref_;
        request.producer = worker_;
        request.input = Json(input);
        request.idempotency_key = key;
      },
      [](workflow::TriggerRequest& request) {
        return Triggered{request.run_id, request.is_new};
      });
}

std::vector<queue::TakenMessage> RunStore::Take(int count, Duration lease) {
  return Send<queue::DequeueRequest>(
             [&](queue::DequeueRequest& request) {
               request.queue = ref_;
               request.worker = worker_;
               request.count = count;
               request.lease = lease;
             },
             [](queue::DequeueRequest& request) { return std::move(request.taken); })
      .Get();
}

Future<Started> RunStore::StartAsync(std::int64_t run_id, std::int64_t token) {
  return Send<workflow::StartRequest>(
      [&](workflow::StartRequest& request) {
        request.run = {run_id, ref_->id};
        request.lease_token = token;
        request.payload = Json("adopted");
        request.code_version = 1;
      },
      [](workflow::StartRequest& request) {
        return Started{.run = {.id = request.run.id,
                               .queue_id = request.run.queue_id,
                               .parent_id = request.parent_id},
                       .epoch = request.epoch,
                       .outcome = request.outcome,
                       .status = request.status,
                       .version = request.version,
                       .input = request.input.text(),
                       .steps = std::move(request.steps)};
      });
}

Started RunStore::TakeAndStart() {
  const auto taken = Take();
  if (taken.empty()) throw Error("nothing was visible");
  return Start(taken.front().id, taken.front().lease_token);
}

Future<Outcome> RunStore::RecordAsync(const Started& run, StoredStep step) {
  return Send<workflow::RecordRequest>(
      [&](workflow::RecordRequest& request) {
        request.run = run.run;
        request.epoch = run.epoch;
        request.step = std::move(step);
      },
      [](workflow::RecordRequest& request) { return request.outcome; });
}

std::string RunStore::Receive(const Started& run, const std::string& event) {
  return Send<workflow::ReceiveRequest>(
             [&](workflow::ReceiveRequest& request) {
               request.run = run.run;
               request.epoch = run.epoch;
               request.event = event;
               request.step = StepOf("wait " + event, std::nullopt);
               request.step.kind = StepKind::kEvent;
               request.step.status = StepStatus::kRunning;
             },
             [](workflow::ReceiveRequest& request) {
               return request.payload ? request.payload->AsString() : std::string();
             })
      .Get();
}

Outcome RunStore::Suspend(const Started& run,
                          const std::function<void(workflow::SuspendRequest&)>& set) {
  return Send<workflow::SuspendRequest>(
             [&](workflow::SuspendRequest& request) {
               request.run = run.run;
               request.epoch = run.epoch;
               set(request);
             },
             [](workflow::SuspendRequest& request) { return request.outcome; })
      .Get();
}

Future<Outcome> RunStore::FinishAsync(const Started& run, RunStatus status, std::string_view text) {
  return Send<workflow::FinishRequest>(
      [&](workflow::FinishRequest& request) {
        request.run = run.run;
        request.epoch = run.epoch;
        request.status = status;
        if (status == RunStatus::kSuccess) request.output = Json(text);
        if (status == RunStatus::kError) request.failure = Json(text);
      },
      [](workflow::FinishRequest& request) { return request.outcome; });
}

std::int64_t RunStore::Child(const Started& run, StoredStep step, const RunStore& workflow) {
  return Send<workflow::ChildRequest>(
             [&](workflow::ChildRequest& request) {
               request.run = run.run;
               request.epoch = run.epoch;
               request.step = std::move(step);
               request.workflow = workflow.ref();
               request.producer = worker_;
               request.input = Json("for the child");
             },
             [](workflow::ChildRequest& request) { return request.child_id; })
      .Get();
}

void RunStore::Send(std::int64_t run_id, std::string_view event, std::string_view payload) {
  Send<workflow::SendEventRequest>(
      [&](workflow::SendEventRequest& request) {
        request.run.id = run_id;
        request.event = event;
        request.payload = Json(payload);
      },
      [](workflow::SendEventRequest& request) { return request.outcome; })
      .Get();
}

RunInfo RunStore::Info(std::int64_t run_id) {
  return Read(
      [run_id](driver::Connection& connection) { return workflow::GetRun(connection, run_id); });
}

std::vector<StepInfo> RunStore::StepsOf(std::int64_t run_id) {
  return Read([run_id](driver::Connection& connection) {
    return workflow::ListSteps(connection, {.run_id = run_id});
  });
}

std::vector<std::string> RunStore::Damage() {
  return Read([dialect = std::string(core_->dialect())](driver::Connection& connection) {
    return queue::FindDamage(connection, dialect);
  });
}

StoredStep StepOf(std::string name, std::optional<Json> output, int position) {
  StoredStep step;
  step.name = std::move(name);
  step.position = position;
  step.status = output ? StepStatus::kSuccess : StepStatus::kRunning;
  step.output = std::move(output);
  return step;
}

}  // namespace pgqrs::testing
