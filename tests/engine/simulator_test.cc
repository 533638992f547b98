// Random requests from several threads on the real engine and a real database that fails at random.
// A seed repeats what each thread asks for and the sequence of faults.
#include <array>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "engine/engine_test.h"
#include "support/seeds.h"

namespace pgqrs::testing {
namespace {

using driver::Fault;

// How a call ended, as far as its caller can tell.
enum class Outcome : std::uint8_t { kDone, kFailed, kUnknown };

struct EnqueueRecord {
  std::vector<std::string> payloads;
  Outcome outcome = Outcome::kDone;
  std::vector<std::int64_t> ids;
};

struct Delivery {
  std::int64_t message_id = 0;
  int read_count = 0;
  TimePoint begin;
  std::optional<TimePoint> lease_end;  // None: given back, or nobody knows.
  bool acked = false;
  bool maybe_acked = false;
};

struct Log {
  std::vector<EnqueueRecord> enqueues;
  std::vector<Delivery> deliveries;
};

// Faults at every place where a transaction can meet one.
Faults::Decide RandomFaults(std::uint64_t seed) {
  struct State {
    explicit State(std::uint64_t seed_of_run) : random(seed_of_run) {}
    std::mutex mutex;
    Random random;
  };
  return [state = std::make_shared<State>(seed)](const Step& step) -> std::optional<Fault> {
    static constexpr std::array kOfRun = {Fault::kStatement, Fault::kStorage};
    static constexpr std::array kOfCommit = {Fault::kStatement, Fault::kStorage, Fault::kBusy,
                                             Fault::kUnknown};
    const std::lock_guard lock(state->mutex);
    auto& random = state->random;
    switch (step.moment) {
      case Moment::kBegin:
        return random.OneIn(50) ? std::optional(Fault::kBusy) : std::nullopt;
      case Moment::kRun:
        return random.OneIn(100) ? std::optional(random.Pick(kOfRun)) : std::nullopt;
      case Moment::kCommit:
        return random.OneIn(20) ? std::optional(random.Pick(kOfCommit)) : std::nullopt;
      case Moment::kCommitted:
        return random.OneIn(20) ? std::optional(Fault::kUnknown) : std::nullopt;
    }
    return std::nullopt;
  };
}

// Makes a call and says how it ended. Nothing but what was injected goes wrong.
template <typename F>
Outcome Try(F call) {
  try {
    call();
    return Outcome::kDone;
  } catch (const Error& error) {
    const std::string_view why = error.what();
    EXPECT_THAT(why, ::testing::HasSubstr("an injected fault"));
    return why.find("outcome is unknown") != std::string_view::npos ? Outcome::kUnknown
                                                                    : Outcome::kFailed;
  }
}

// One thread of the simulation.
class Actor {
 public:
  Actor(std::uint64_t seed, int number, Queue queue, ManualClock& clock)
      : random_(seed * 100 + static_cast<std::uint64_t>(number)),
        name_(std::to_string(number)),
        queue_(std::move(queue)),
        clock_(clock) {}

  void Act(int steps) {
    for (; steps > 0; --steps) {
      switch (random_.From(0, 5)) {
        case 0:
        case 1:
          Enqueue();
          break;
        case 2:
          Dequeue();
          break;
        case 3:
          clock_.Advance(milliseconds(random_.From(0, 2000)));
          break;
        default:
          Settle();
          break;
      }
    }
  }

  Log& log() { return log_; }

 private:
  struct Held {
    Message message;
    std::size_t delivery;  // In the log.
  };

  void Enqueue() {
    EnqueueRecord record;
    std::vector<Json> payloads;
    for (auto n = random_.From(1, 4); n > 0; --n) {
      record.payloads.push_back(name_ + "-" + std::to_string(next_payload_++));
      payloads.emplace_back(record.payloads.back());
    }
    record.outcome = Try([&] { record.ids = queue_.EnqueueBatch(payloads); });
    log_.enqueues.push_back(std::move(record));
  }

  void Dequeue() {
    std::vector<Message> messages;
    const int count = static_cast<int>(random_.From(1, 6));
    const auto lease = milliseconds(random_.From(100, 10'000));
    Try([&] { messages = queue_.DequeueBatch(count, lease); });
    for (auto& message : messages) {
      log_.deliveries.push_back({.message_id = message.id(),
                                 .read_count = message.read_count(),
                                 .begin = message.dequeued_at(),
                                 .lease_end = message.lease_end()});
      held_.push_back({std::move(message), log_.deliveries.size() - 1});
    }
  }

  void Settle() {
    if (held_.empty()) return;
    auto& held = random_.Pick(held_);
    auto& delivery = log_.deliveries[held.delivery];
    switch (random_.From(0, 3)) {
      case 0:
        Extend(held.message, delivery);
        return;
      case 1:
        Release(held.message, delivery);
        break;
      default:
        Ack(held.message, delivery);
        break;
    }
    // After an error the same message may be tried again.
    if (!delivery.lease_end || random_.OneIn(2)) {
      std::swap(held, held_.back());
      held_.pop_back();
    }
  }

  void Extend(Message& message, Delivery& delivery) {
    bool extended = false;
    const auto outcome =
        Try([&] { extended = message.ExtendLease(milliseconds(random_.From(1, 10'000))); });
    if (!delivery.lease_end) return;
    if (extended) delivery.lease_end = message.lease_end();
    if (outcome == Outcome::kUnknown) delivery.lease_end.reset();
  }

  void Release(Message& message, Delivery& delivery) {
    bool released = false;
    const auto outcome = Try([&] { released = message.Release(); });
    if (released || outcome == Outcome::kUnknown) delivery.lease_end.reset();
  }

  void Ack(Message& message, Delivery& delivery) {
    bool acked = false;
    const auto outcome = Try([&] { acked = message.Ack(); });
    delivery.acked |= acked;
    delivery.maybe_acked |= outcome == Outcome::kUnknown;
  }

  Random random_;
  const std::string name_;
  Queue queue_;
  ManualClock& clock_;
  int next_payload_ = 0;
  std::vector<Held> held_;
  Log log_;
};

class Simulation : public EngineTest {
 public:
  Simulation() = default;

  void Run(std::uint64_t seed) {
    constexpr int kActors = 4;
    constexpr int kSteps = 150;
    config().clock = clock_.AsClock();
    config().max_read_ct = 100'000;
    auto queue = Open();
    faults().Set(RandomFaults(seed));
    std::vector<Actor> actors;
    actors.reserve(kActors);
    for (int i = 0; i < kActors; ++i) actors.emplace_back(seed, i, queue, clock_);
    std::vector<std::thread> threads;
    threads.reserve(kActors);
    for (auto& actor : actors) threads.emplace_back([&actor] { actor.Act(kSteps); });
    for (auto& thread : threads) thread.join();
    faults().Clear();
    for (auto& actor : actors) Collect(actor.log());
    for (const auto& message : StoredMessages()) {
      EXPECT_TRUE(stored_.emplace(message.payload.AsString(), message).second)
          << message.payload.text() << " is there twice";
    }
    CheckEnqueues();
    CheckDeliveries();
    CheckTheRestIsHandedOut();
    ExpectSound();
  }

 private:
  void TestBody() override {}  // One test has many simulations.

  void Collect(Log& log) {
    enqueues_.insert(enqueues_.end(), log.enqueues.begin(), log.enqueues.end());
    for (const auto& delivery : log.deliveries) {
      const bool is_new =
          deliveries_[delivery.message_id].emplace(delivery.read_count, delivery).second;
      EXPECT_TRUE(is_new) << "message " << delivery.message_id << " was handed out twice at once";
    }
  }

  void CheckEnqueues() {
    std::size_t known = 0;
    for (const auto& record : enqueues_) {
      std::vector<std::int64_t> found;
      for (const auto& payload : record.payloads) {
        const auto it = stored_.find(payload);
        if (it != stored_.end()) found.push_back(it->second.id);
      }
      known += found.size();
      if (record.outcome == Outcome::kDone) {
        EXPECT_EQ(found, record.ids);
      } else if (record.outcome == Outcome::kFailed) {
        EXPECT_EQ(found.size(), 0U) << record.payloads.front() << " is there, but had failed";
      } else {
        EXPECT_TRUE(found.empty() || found.size() == record.payloads.size())
            << record.payloads.front() << " is there in part";
      }
    }
    EXPECT_EQ(stored_.size(), known);
  }

  void CheckDeliveries() {
    for (const auto& [id, by_read_count] : deliveries_) {
      const Delivery* before = nullptr;
      for (const auto& [read_count, delivery] : by_read_count) {
        if (before != nullptr) {
          EXPECT_FALSE(before->acked) << "message " << id << " came back after its ack";
          if (before->lease_end) {
            EXPECT_GE(delivery.begin, *before->lease_end) << "message " << id << " had two holders";
          }
        }
        before = &delivery;
      }
    }
    for (const auto& [payload, message] : stored_) CheckArchive(message);
  }

  void CheckArchive(const MessageInfo& message) {
    bool acked = false;
    bool maybe_acked = false;
    for (const auto& [read_count, delivery] : deliveries_[message.id]) {
      acked |= delivery.acked;
      maybe_acked |= delivery.maybe_acked;
    }
    const bool archived = message.state == MessageState::kArchived;
    EXPECT_NE(message.state, MessageState::kDead);
    if (acked) {
      EXPECT_TRUE(archived) << "the ack of " << message.id << " was lost";
    }
    if (archived) {
      EXPECT_TRUE(acked || maybe_acked) << "nobody acked " << message.id;
      ++archived_;
    }
  }

  void CheckTheRestIsHandedOut() {
    clock_.Advance(kForever);
    std::set<std::int64_t> rest;
    auto store = OpenAnother();
    for (const auto& message : store.Queue("jobs").DequeueBatch(10'000)) rest.insert(message.id());
    EXPECT_EQ(rest.size(), stored_.size() - archived_);
  }

  ManualClock clock_;
  std::vector<EnqueueRecord> enqueues_;
  std::map<std::int64_t, std::map<int, Delivery>> deliveries_;  // By message and read count.
  std::map<std::string, MessageInfo> stored_;                   // By payload.
  std::size_t archived_ = 0;
};

TEST(Simulator, FaultsNeitherLoseNorDoubleAnything) {
  ForEachSeed(6, [](std::uint64_t seed) {
    Simulation simulation;
    simulation.Run(seed);
  });
}

}  // namespace
}  // namespace pgqrs::testing
