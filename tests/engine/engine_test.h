// The fixture of the engine's tests: a store whose writer fails and pauses on demand.
#ifndef PGQRS_TESTS_ENGINE_ENGINE_TEST_H_
#define PGQRS_TESTS_ENGINE_ENGINE_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <cstddef>
#include <future>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "api/store_core.h"
#include "support/faulty_database.h"
#include "support/manual_clock.h"
#include "support/names.h"
#include "support/sqlite_shell.h"
#include "support/temp_folder.h"
#include "support/throws.h"

namespace pgqrs::testing {

using Moment = Step::Moment;

// Longer than any test may take; what waits for this long has lost its wake-up.
inline constexpr Duration kForever = std::chrono::hours(1);

class EngineTest : public ::testing::Test {
 protected:
  EngineTest();
  ~EngineTest() override;

  // The configuration of the store. Change it before Open. Its clock is the system's, and nothing
  // is ever found by polling.
  Config& config() { return config_; }
  std::string path() const { return folder_.File("queue.db"); }

  // Opens the store and gives its queue "jobs". The database has the schema and the queue already.
  Queue Open();
  // Closes the store; its queues stay.
  void Close();

  // A store on the same file without faults.
  PgqrsStore OpenAnother() const { return PgqrsStore::Connect(config_); }

  internal::StoreCore& core() { return *core_; }
  Faults& faults() { return *faults_; }
  EngineMetrics Metrics() { return core_->engine().Metrics(); }

  // Closes the store and looks at all that is stored.
  std::vector<MessageInfo> StoredMessages();
  std::vector<std::string> StoredPayloads();

  // Closes the store and fails the test where the database is damaged.
  void ExpectSound();

 private:
  TempFolder folder_;
  Config config_;
  std::shared_ptr<Faults> faults_ = std::make_shared<Faults>();
  std::shared_ptr<internal::StoreCore> core_;
};

// Keeps the lane of a store busy, so that requests gather: they form one group once it is released.
class HeldLane {
 public:
  // Returns when the lane is held. Takes the place of other faults.
  HeldLane(Faults& faults, Queue& queue);
  HeldLane(const HeldLane&) = delete;
  HeldLane& operator=(const HeldLane&) = delete;
  ~HeldLane();

  // Lets the lane go on, with these faults.
  void Release(Faults::Decide next = nullptr);

 private:
  Faults& faults_;
  std::promise<void> go_on_;
  Future<std::vector<std::int64_t>> filler_;
  bool is_released_ = false;
};

// What `make(0)` to `make(n - 1)` give.
template <typename F>
auto Repeat(int n, F make) {
  std::vector<std::invoke_result_t<F, int>> made;
  made.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) made.push_back(make(i));
  return made;
}

// Fails one commit with a fault: at kCommit nothing is stored, at kCommitted everything is.
Faults::Decide FailOnce(Moment moment, driver::Fault fault);

// Fails, as a bad value would, each statement that stores a payload with this text in it.
Faults::Decide RefusePayload(std::string_view text);

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_ENGINE_ENGINE_TEST_H_
