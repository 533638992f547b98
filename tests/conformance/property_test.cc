// Random calls on a queue, each answer compared with that of a model.
//
// A failure names its seed; PGQRS_TEST_SEED=<seed> runs that one alone.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "conformance/conformance_test.h"
#include "conformance/queue_model.h"

namespace pgqrs::testing {
namespace {

constexpr int kMaxReads = 3;
constexpr int kSteps = 300;
constexpr int kStepsBetweenLooks = 50;

class RandomCalls {
 public:
  RandomCalls(PgqrsStore store, ManualClock& clock, std::uint32_t seed)
      : store_(std::move(store)),
        clock_(clock),
        random_(seed),
        queue_(store_.Queue("jobs")),
        model_(kMaxReads) {
    for (int i = 0; i < 2; ++i) consumers_.push_back(queue_.NewConsumer());
  }

  void Run() {
    for (int step = 1; step <= kSteps; ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      OneStep();
      if (step % kStepsBetweenLooks == 0) CompareEverything();
      if (::testing::Test::HasFailure()) return;
    }
    store_.Admin().Verify();
  }

 private:
  // A message as it was handed out once. It may be long gone.
  struct Held {
    Message message;
    int lease;
  };

  int Pick(int least, int most) { return std::uniform_int_distribution<>(least, most)(random_); }
  bool Chance(int percent) { return Pick(1, 100) <= percent; }
  // Coarse, so that times often meet.
  Duration PickDuration(int most) { return milliseconds(500) * Pick(0, most * 2); }
  TimePoint Now() const { return clock_.Now(); }

  void OneStep() {
    const int n = Pick(1, 100);
    if (n <= 20) return Enqueue();
    if (n <= 45) return Dequeue();
    if (n <= 60) return SettleInFlightTogether();
    if (n <= 75) return SettleByMessage();
    if (n <= 83) return SettleById();
    if (n <= 88) return ActOnDeadLetters();
    if (n == 89) return Purge();
    if (n == 90) return ReplaceConsumer();
    clock_.Advance(PickDuration(6));
  }

  void Enqueue() {
    EnqueueOptions options;
    if (Chance(40)) options.priority = Pick(0, 9);
    auto visible_at = Now();
    if (Chance(20)) {
      options.delay = PickDuration(10);
      visible_at += *options.delay;
    } else if (Chance(20)) {
      visible_at += PickDuration(10) - PickDuration(5);
      options.visible_at = visible_at;
    }
    const int n = Chance(40) ? 1 : Pick(0, Chance(20) ? 150 : 12);
    std::vector<Json> payloads;
    payloads.reserve(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) payloads.push_back(NextPayload());
    const auto ids = n == 1 ? std::vector{queue_.Enqueue(payloads[0], options)}
                            : queue_.EnqueueBatch(payloads, options);
    ASSERT_EQ(ids.size(), payloads.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      model_.Add(ids[i], payloads[i].text(), options.priority, Now(), visible_at);
    }
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  }

  Json NextPayload() {
    const auto number = std::to_string(++payloads_);
    switch (Pick(0, 3)) {
      case 0:
        return Json::Parse(number);
      case 1:
        return Json("\"],[\\" + number);
      case 2:
        return Json::Parse(R"({"n":[)" + number + R"(,"}",{}]})");
      default:
        return Json(std::string(static_cast<std::size_t>(Pick(0, 3000)), ',') + number);
    }
  }

  void Dequeue() {
    const int count = Chance(40) ? 1 : Pick(1, Chance(20) ? 200 : 20);
    const auto lease = milliseconds(500) + PickDuration(10);
    const int consumer = Pick(0, 3);
    const bool by_consumer = consumer < static_cast<int>(consumers_.size());
    const auto messages =
        by_consumer ? consumers_[static_cast<std::size_t>(consumer)].DequeueBatch(count, lease)
                    : queue_.DequeueBatch(count, lease);
    const auto worker_id = by_consumer ? consumers_[static_cast<std::size_t>(consumer)].worker_id()
                                       : store_.worker_id();
    const auto expected = model_.Dequeue(count, worker_id, Now(), lease);
    ASSERT_EQ(messages.size(), expected.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
      ExpectTaken(messages[i], expected[i]);
      held_.push_back({messages[i], expected[i].message.lease});
    }
    SettleOpenQuestions();
  }

  void ExpectTaken(const Message& message, const QueueModel::Taken& expected) const {
    const auto& model = expected.message;
    EXPECT_EQ(message.id(), model.id);
    EXPECT_THAT(message.payload(), IsJson(model.payload));
    EXPECT_EQ(message.read_count(), model.read_count);
    EXPECT_EQ(message.priority(), model.priority);
    EXPECT_EQ(message.enqueued_at(), model.enqueued_at);
    EXPECT_EQ(message.visible_at(), expected.was_visible_at);
    EXPECT_EQ(message.dequeued_at(), Now());
    EXPECT_EQ(message.lease_end(), model.visible_at);
    EXPECT_EQ(message.worker_id(), model.worker_id);
    EXPECT_EQ(message.producer_worker_id(), store_.worker_id());
  }

  // Where the model leaves it open whether an exhausted message moved, the queue decides.
  void SettleOpenQuestions() {
    for (const auto id : model_.Exhausted(Now())) {
      const auto info = store_.FindMessage(id);
      ASSERT_TRUE(info);
      if (info->state == MessageState::kDead) model_.MoveToDeadLetters(id, Now());
    }
  }

  // Some of the messages that were handed out, the latest more often than the long gone.
  std::vector<Held> PickHeld() {
    if (held_.size() > 400) held_.erase(held_.begin(), held_.begin() + 200);
    const auto size = static_cast<int>(held_.size());
    const auto from = Chance(70) ? std::max(0, size - 30) : 0;
    std::vector<Held> picked;
    for (int i = from; i < size; ++i) {
      if (Chance(30)) picked.push_back(held_[static_cast<std::size_t>(i)]);
    }
    std::shuffle(picked.begin(), picked.end(), random_);
    return picked;
  }

  static QueueModel::Target TargetOf(const Held& held) {
    return {.id = held.message.id(), .lease = held.lease};
  }

  // One random action on a message: begins it, and gives the model's answer.
  std::pair<Future<bool>, bool> Begin(Held& held) {
    const auto target = TargetOf(held);
    const auto text = Chance(50) ? "text " + std::to_string(Pick(1, 3)) : std::string();
    switch (Pick(0, 6)) {
      case 0:
      case 1:
        return {held.message.AckAsync(), model_.Ack(target, Now())};
      case 2:
      case 3: {
        const auto delay = Chance(50) ? Duration::zero() : PickDuration(5);
        return {held.message.ReleaseAsync(delay, text),
                model_.Release(target, Now() + delay, text)};
      }
      case 4: {
        const auto lease = milliseconds(500) + PickDuration(10);
        return {held.message.ExtendLeaseAsync(lease), model_.Extend(target, Now() + lease)};
      }
      case 5:
        return {held.message.DeleteAsync(), model_.Delete(target)};
      default:
        return {held.message.DeadLetterAsync(text), model_.DeadLetter(target, Now(), text)};
    }
  }

  void SettleInFlightTogether() {
    auto picked = PickHeld();
    std::vector<std::pair<Future<bool>, bool>> answers;
    answers.reserve(picked.size());
    for (auto& held : picked) answers.push_back(Begin(held));
    for (auto& [answer, expected] : answers) EXPECT_EQ(answer.Get(), expected);
  }

  void SettleByMessage() {
    auto picked = PickHeld();
    if (Chance(50)) {
      std::vector<Message> messages;
      std::vector<bool> expected;
      for (const auto& held : picked) {
        messages.push_back(held.message);
        expected.push_back(model_.Ack(TargetOf(held), Now()));
      }
      EXPECT_EQ(store_.Ack(messages), expected);
      return;
    }
    if (picked.size() > 3) picked.resize(3, picked.front());
    for (auto& held : picked) {
      auto [answer, expected] = Begin(held);
      EXPECT_EQ(answer.Get(), expected);
    }
  }

  void SettleById() {
    const auto picked = PickHeld();
    std::vector<std::int64_t> ids;
    ids.reserve(picked.size());
    for (const auto& held : picked) ids.push_back(held.message.id());
    if (ids.empty()) return;
    std::vector<bool> expected;
    const auto expect = [&](std::int64_t worker_id, const auto& act) {
      for (const auto id : ids) expected.push_back(act({.id = id, .worker_id = worker_id}));
    };
    using Target = QueueModel::Target;
    const auto ack = [&](const Target& target) { return model_.Ack(target, Now()); };
    auto& consumer = consumers_[static_cast<std::size_t>(Pick(0, 1))];
    const auto worker_id = consumer.worker_id();
    switch (Pick(0, 4)) {
      case 0:
        expect(store_.worker_id(), ack);
        EXPECT_EQ(store_.Ack(ids), expected);
        return;
      case 1:
        expect(worker_id, ack);
        EXPECT_EQ(consumer.Ack(ids), expected);
        return;
      case 2: {
        const auto delay = PickDuration(5);
        expect(worker_id,
               [&](const Target& target) { return model_.Release(target, Now() + delay, ""); });
        EXPECT_EQ(consumer.Release(ids, delay), expected);
        return;
      }
      case 3:
        expect(worker_id, [&](const Target& target) { return model_.Delete(target); });
        EXPECT_EQ(consumer.Delete(ids), expected);
        return;
      default:
        ids.resize(1);
        const auto lease = milliseconds(500) + PickDuration(10);
        expect(worker_id,
               [&](const Target& target) { return model_.Extend(target, Now() + lease); });
        EXPECT_EQ(consumer.ExtendLease(ids[0], lease), expected[0]);
    }
  }

  void ActOnDeadLetters() {
    const int n = Pick(1, 10);
    if (n <= 6 && !held_.empty()) {
      const auto id =
          held_[static_cast<std::size_t>(Pick(0, static_cast<int>(held_.size()) - 1))].message.id();
      EXPECT_EQ(queue_.ReplayDeadLetter(id), model_.Replay(id, Now()));
    } else if (n <= 8) {
      EXPECT_EQ(queue_.ReplayDeadLetters(), model_.ReplayAll(Now()));
    } else {
      EXPECT_EQ(queue_.PurgeDeadLetters(), model_.PurgeDeadLetters());
    }
  }

  void Purge() { EXPECT_EQ(store_.PurgeQueue("jobs"), model_.Purge(Now())); }

  void ReplaceConsumer() {
    auto& consumer = consumers_[static_cast<std::size_t>(Pick(0, 1))];
    consumer.Close();
    model_.ReleaseWorker(consumer.worker_id(), Now());
    consumer = queue_.NewConsumer();
  }

  void CompareEverything() {
    const auto messages = AllMessages(store_);
    ASSERT_EQ(messages.size(), model_.messages().size());
    QueueMetrics expected;
    auto next = messages.begin();
    for (const auto& [id, model] : model_.messages()) {
      ExpectSame(*next++, model);
      ++CountOf(expected, model_.StateOf(model, Now()));
    }
    const auto metrics = queue_.Metrics();
    EXPECT_EQ(metrics.waiting, expected.waiting);
    EXPECT_EQ(metrics.delayed, expected.delayed);
    EXPECT_EQ(metrics.leased, expected.leased);
    EXPECT_EQ(metrics.archived, expected.archived);
    EXPECT_EQ(metrics.dead, expected.dead);
  }

  static std::int64_t& CountOf(QueueMetrics& metrics, MessageState state) {
    switch (state) {
      case MessageState::kWaiting:
        return metrics.waiting;
      case MessageState::kDelayed:
        return metrics.delayed;
      case MessageState::kLeased:
        return metrics.leased;
      case MessageState::kArchived:
        return metrics.archived;
      case MessageState::kDead:
        break;
    }
    return metrics.dead;
  }

  void ExpectSame(const MessageInfo& info, const ModelMessage& model) const {
    SCOPED_TRACE("message " + std::to_string(model.id));
    EXPECT_EQ(info.id, model.id);
    EXPECT_EQ(ToString(info.state), ToString(model_.StateOf(model, Now())));
    EXPECT_THAT(info.payload, IsJson(model.payload));
    EXPECT_EQ(info.priority, model.priority);
    EXPECT_EQ(info.read_count, model.read_count);
    EXPECT_EQ(info.enqueued_at, model.enqueued_at);
    EXPECT_EQ(info.dequeued_at, model.dequeued_at);
    EXPECT_EQ(info.archived_at, model.archived_at);
    EXPECT_EQ(info.worker_id.value_or(0), model.worker_id);
    EXPECT_EQ(info.last_error, model.last_error);
    EXPECT_THAT(info.reason, HasSubstr(model.reason));
    const bool in_queue = model.place == ModelMessage::Place::kQueue;
    EXPECT_EQ(info.visible_at, in_queue ? std::optional(model.visible_at) : std::nullopt);
  }

  PgqrsStore store_;
  ManualClock& clock_;
  std::mt19937 random_;
  Queue queue_;
  std::vector<Consumer> consumers_;
  QueueModel model_;
  std::vector<Held> held_;
  int payloads_ = 0;
};

class Property : public ConformanceTest {
 protected:
  static std::vector<std::uint32_t> Seeds() {
    if (const char* seed = std::getenv("PGQRS_TEST_SEED")) {
      return {static_cast<std::uint32_t>(std::strtoul(seed, nullptr, 10))};
    }
    return {1, 2, 3};
  }
};
PGQRS_ON_EVERY_BACKEND(Property);

TEST_P(Property, TheQueueAnswersLikeTheModel) {
  for (const auto seed : Seeds()) {
    SCOPED_TRACE("PGQRS_TEST_SEED=" + std::to_string(seed));
    const TempFolder folder_of_seed;
    Config of_seed = config();
    of_seed.dsn = GetParam().new_dsn(folder_of_seed);
    of_seed.max_read_ct = kMaxReads;
    RandomCalls(PgqrsStore::Connect(of_seed), clock(), seed).Run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace pgqrs::testing
