#include "engine/engine_test.h"

#include <atomic>
#include <utility>

namespace pgqrs::testing {

using internal::QueueCore;
using internal::StoreCore;

// What is tested here does not depend on the loss of power.
EngineTest::EngineTest() : config_("sqlite://" + path() + "?synchronous=normal") {
  config_.fallback_poll_interval = kForever;
  config_.heartbeat_interval = kForever;  // Each heartbeat wakes those that wait.
}

EngineTest::~EngineTest() {
  faults_->Clear();
  Close();
}

Queue EngineTest::Open() {
  auto ref = std::make_shared<queue::QueueRef>();
  ref->name = "jobs";
  ref->id = OpenAnother().Queue("jobs").id();
  auto database = std::make_unique<FaultyDatabase>(driver::MakeDatabase(config_), faults_);
  auto writer = database->OpenWriter();
  core_ = std::make_shared<StoreCore>(config_, std::move(database), std::move(writer));
  return internal::QueueAccess::Make(std::make_shared<QueueCore>(core_, std::move(ref)));
}

void EngineTest::Close() {
  if (core_) core_->Close();
}

std::vector<MessageInfo> EngineTest::StoredMessages() {
  Close();
  auto store = OpenAnother();
  std::vector<MessageInfo> messages;
  Page page = {.after_id = 0, .limit = 10'000};
  for (;;) {
    auto some = store.Admin().Messages(page);
    if (some.empty()) return messages;
    page.after_id = some.back().id;
    messages.insert(messages.end(), some.begin(), some.end());
  }
}

std::vector<std::string> EngineTest::StoredPayloads() {
  std::vector<std::string> payloads;
  for (const auto& message : StoredMessages()) payloads.push_back(message.payload.AsString());
  return payloads;
}

void EngineTest::ExpectSound() {
  Close();
  EXPECT_NO_THROW(OpenAnother().Admin().Verify());
}

// An empty batch does nothing but keep the lane in its transaction.
HeldLane::HeldLane(Faults& faults, Queue& queue) : faults_(faults), filler_(nullptr) {
  auto held = std::make_shared<std::promise<void>>();
  auto is_held = held->get_future();
  faults_.Set([held, go_on = go_on_.get_future().share(),
               is_first = std::make_shared<std::atomic<bool>>(true)](
                  const Step& step) -> std::optional<driver::Fault> {
    if (step.moment == Moment::kCommitted && is_first->exchange(false)) {
      held->set_value();
      go_on.wait();
    }
    return std::nullopt;
  });
  filler_ = queue.EnqueueBatchAsync({});
  is_held.wait();
}

HeldLane::~HeldLane() { Release(); }

void HeldLane::Release(Faults::Decide next) {
  if (std::exchange(is_released_, true)) return;
  faults_.Set(std::move(next));
  go_on_.set_value();
  filler_.Get();
}

Faults::Decide FailOnce(Moment moment, driver::Fault fault) {
  return [=, has_failed = std::make_shared<std::atomic<bool>>(false)](
             const Step& step) -> std::optional<driver::Fault> {
    if (step.moment != moment || has_failed->exchange(true)) return std::nullopt;
    return fault;
  };
}

Faults::Decide RefusePayload(std::string_view text) {
  return [text = std::string(text)](const Step& step) -> std::optional<driver::Fault> {
    if (step.statement != sql::Statement::kInsertBatch) return std::nullopt;
    const auto payloads = std::get<std::string_view>(step.parameters.back());
    if (payloads.find(text) == std::string_view::npos) return std::nullopt;
    return driver::Fault::kStatement;
  };
}

}  // namespace pgqrs::testing
