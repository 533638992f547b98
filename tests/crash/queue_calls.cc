#include "crash/queue_calls.h"

#include <pgqrs/pgqrs.h>

#include <map>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/manual_clock.h"

namespace pgqrs::testing {
namespace {

// Messages that lie in batches of their own, since they become visible at different times.
void EnqueueApart(Queue& queue, int n) {
  std::vector<Future<std::int64_t>> ids;
  ids.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    ids.push_back(queue.EnqueueAsync("payload", {.delay = Duration(i + 1)}));
  }
  for (auto& id : ids) id.Get();
}

void KillMessages(std::vector<Message>& messages) {
  std::vector<Future<bool>> answers;
  answers.reserve(messages.size());
  for (auto& message : messages) answers.push_back(message.DeadLetterAsync("no use"));
  for (auto& answer : answers) {
    if (!answer.Get()) throw std::logic_error("the message was not held");
  }
}

}  // namespace

void PrepareForCalls(const std::string& database) {
  ManualClock clock;
  Config config("sqlite://" + database);
  config.clock = clock.AsClock();
  auto store = PgqrsStore::Connect(config);
  auto queue = store.Queue("jobs");
  EnqueueApart(queue, 3 * kMessagesOfAKind);
  clock.Advance(std::chrono::seconds(1));
  store.Ack(queue.DequeueBatch(kMessagesOfAKind));
  auto messages = queue.DequeueBatch(kMessagesOfAKind);
  KillMessages(messages);
  store.Queue("other").EnqueueBatch(std::vector<Json>(3, "payload"));
}

void MakeCall(const std::string& call, const std::string& database,
              const std::function<void()>& arm) {
  if (call == "open") arm();
  std::optional<PgqrsStore> store(PgqrsStore::Connect("sqlite://" + database));
  if (call == "open") return;
  auto queue = store->OpenQueue("jobs");
  const std::map<std::string, std::function<void()>> calls = {
      {"delete", [&] { store->DeleteQueue("jobs", /*force=*/true); }},
      {"purge", [&] { store->PurgeQueue("jobs"); }},
      {"retain", [&] { queue.ApplyRetention({.max_count = 0}); }},
      {"replay", [&] { queue.ReplayDeadLetters(); }},
      {"close", [&] { store.reset(); }},
  };
  if (call == "close") queue.DequeueBatch(kMessagesOfAKind);
  arm();
  calls.at(call)();
}

}  // namespace pgqrs::testing
