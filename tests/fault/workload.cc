#include "fault/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace pgqrs::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

std::vector<Json> Payloads(std::string_view name, int n, std::size_t size = 0) {
  std::vector<Json> payloads;
  payloads.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    auto text = std::string(name) + "-" + std::to_string(i);
    text.resize(std::max(size, text.size()), '.');
    payloads.emplace_back(text);
  }
  return payloads;
}

}  // namespace

Workload::Workload(Config config, OnError on_error)
    : config_(std::move(config)), on_error_(std::move(on_error)) {}

void Workload::Run() {
  Open();
  // Once more, since only a new connection reads what is there.
  Close();
  Open();
  Enqueue(Payloads("one", 1));
  Enqueue(Payloads("two", 1));
  Enqueue(Payloads("batch", 70));
  Dequeue(1);
  Dequeue(10);
  Settle("Ack", "archived", [](Message& message) { return message.Ack(); });
  Settle("Ack", "archived", [](Message& message) { return message.Ack(); });
  Settle("Release", "waiting", [](Message& message) { return message.Release(); });
  Settle("ExtendLease", "leased",
         [](Message& message) { return message.ExtendLease(std::chrono::minutes(1)); });
  Settle("Delete", Expectations::kGone, [](Message& message) { return message.Delete(); });
  Settle("DeadLetter", "dead", [](Message& message) { return message.DeadLetter("no use"); });
  Look("Metrics", [&] { queue_->Metrics(); });
  Look("Messages", [&] { store_->Admin().Messages(); });
  Sweep("ReplayDeadLetters", "dead", "waiting", [&] { queue_->ReplayDeadLetters(); });
  Settle("DeadLetter", "dead", [](Message& message) { return message.DeadLetter("no use"); });
  Sweep("PurgeDeadLetters", "dead", Expectations::kGone, [&] { queue_->PurgeDeadLetters(); });
  Sweep("ApplyRetention", "archived", Expectations::kGone,
        [&] { queue_->ApplyRetention({.max_count = 0}); });
  Settle("Ack", "archived", [](Message& message) { return message.Ack(); });
  Sweep("PurgeQueue", "waiting", Expectations::kGone, [&] { store_->PurgeQueue("jobs"); });
  Enqueue(Payloads("last", 3));
}

void Workload::RunLarge() {
  constexpr std::size_t kSize = 40'000;
  Open();
  for (const auto* name : {"one", "two", "three"}) {
    Enqueue(Payloads(name, 40, kSize));
    Dequeue(20);
    Settle("Ack", "archived", [](Message& message) { return message.Ack(); });
    Settle("Delete", Expectations::kGone, [](Message& message) { return message.Delete(); });
  }
  Close();
  Open();
  Enqueue(Payloads("last", 1, kSize));
}

void Workload::GoOn() {
  Enqueue(Payloads("after", 2));
  Dequeue(Queue::kMaxBatchSize);
  while (!held_.empty()) {
    Settle("Ack", "archived", [](Message& message) { return message.Ack(); });
  }
}

void Workload::Close() {
  held_.clear();
  queue_.reset();
  store_.reset();
  for (const auto id : expectations_.Which("leased")) expectations_.MayBe(id, "waiting");
}

Workload::Outcome Workload::Attempt(std::string_view what, const std::function<void()>& call) {
  try {
    call();
    return Outcome::kDone;
  } catch (const InternalError& failure) {
    error_ = failure.what();
  } catch (const PgqrsConnectionError& failure) {
    error_ = failure.what();
  }
  EXPECT_THAT(error_, AnyOf(HasSubstr("disk I/O error"), HasSubstr("database or disk is full"),
                            HasSubstr("unable to open database file")))
      << what;
  failed_ = what;
  return error_.find("outcome is unknown") != std::string::npos ? Outcome::kUnknown : Outcome::kNot;
}

void Workload::ReportError() {
  const auto failed = std::exchange(failed_, {});
  if (!failed.empty()) on_error_(failed, error_, expectations_);
}

void Workload::Open() {
  const auto repeat = [&](std::string_view what, const std::function<void()>& call) {
    if (Attempt(what, call) == Outcome::kDone) return;
    ReportError();
    call();
  };
  repeat("Connect", [&] { store_.emplace(PgqrsStore::Connect(config_)); });
  repeat("Queue", [&] { queue_.emplace(store_->Queue("jobs")); });
}

void Workload::Enqueue(const std::vector<Json>& payloads) {
  std::vector<std::int64_t> ids;
  const auto outcome = Attempt("Enqueue", [&] {
    ids = payloads.size() == 1 ? std::vector{queue_->Enqueue(payloads[0])}
                               : queue_->EnqueueBatch(payloads);
  });
  if (outcome == Outcome::kDone) expectations_.Enqueued(ids, payloads);
  if (outcome == Outcome::kUnknown) expectations_.MayHaveEnqueued(payloads);
  ReportError();
}

void Workload::Dequeue(int count) {
  const auto outcome = Attempt("Dequeue", [&] {
    for (auto& message : queue_->DequeueBatch(count)) {
      expectations_.Is(message.id(), "leased");
      held_.push_back(std::move(message));
    }
  });
  if (outcome == Outcome::kUnknown) {
    for (const auto id : expectations_.Which("waiting")) expectations_.MayBe(id, "leased");
  }
  ReportError();
}

void Workload::Settle(std::string_view what, const std::string& state,
                      const std::function<bool(Message&)>& call) {
  if (held_.empty()) return;  // Because a dequeue failed.
  auto message = std::move(held_.back());
  held_.pop_back();
  bool answer = true;
  const auto outcome = Attempt(what, [&] { answer = call(message); });
  EXPECT_TRUE(answer) << what << " of a message under lease";
  if (outcome == Outcome::kDone) expectations_.Is(message.id(), state);
  if (outcome == Outcome::kUnknown) expectations_.MayBe(message.id(), state);
  ReportError();
}

void Workload::Look(std::string_view what, const std::function<void()>& call) {
  Attempt(what, call);
  ReportError();
}

void Workload::Sweep(std::string_view what, const std::string& from, const std::string& to,
                     const std::function<void()>& call) {
  const auto outcome = Attempt(what, call);
  for (const auto id : expectations_.Which(from)) {
    expectations_.MayBe(id, to);
    if (outcome == Outcome::kDone) expectations_.IsNot(id, from);
  }
  ReportError();
}

}  // namespace pgqrs::testing
