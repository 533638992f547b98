// A database that another program keeps locked, while heartbeats fall due again and again.
#include <future>
#include <string>
#include <thread>

#include "engine/engine_test.h"

namespace pgqrs::testing {
namespace {

using std::chrono::milliseconds;

constexpr auto kHeartbeat = milliseconds(100);
constexpr int kHeartbeats = 5;

class Locked : public EngineTest {
 protected:
  Locked() { config().heartbeat_interval = kHeartbeat; }

  // Waits until so many heartbeats fell due. The engine's timer calls in the order of time.
  void LetHeartbeatsFallDue() {
    std::promise<void> done;
    core().engine().timer().At(std::chrono::steady_clock::now() + kHeartbeats * kHeartbeat,
                               [&] { done.set_value(); });
    done.get_future().wait();
  }

  std::int64_t LastHeartbeat(SqliteShell& shell) {
    return shell.QueryInt("SELECT heartbeat_at FROM pgqrs_workers WHERE id = " +
                          std::to_string(core().own_worker()->id));
  }

  void WaitForHeartbeatAfter(SqliteShell& shell, std::int64_t time) {
    while (LastHeartbeat(shell) <= time) std::this_thread::sleep_for(milliseconds(1));
  }
};

TEST_F(Locked, OneHeartbeatWaitsAtATimeAndCallsAreAnsweredAfterwards) {
  auto queue = Open();
  queue.Enqueue("first");
  SqliteShell shell(path());
  shell.Execute("BEGIN IMMEDIATE");
  auto enqueue = queue.EnqueueAsync("second");
  LetHeartbeatsFallDue();
  EXPECT_LE(Metrics().pending_requests, 2U) << "the enqueue and one heartbeat";
  EXPECT_FALSE(enqueue.IsReady());
  const auto before = LastHeartbeat(shell);
  shell.Execute("ROLLBACK");
  EXPECT_GT(enqueue.Get(), 0);
  WaitForHeartbeatAfter(shell, before);
  EXPECT_EQ(Metrics().failed_requests, 0U);
}

TEST_F(Locked, HeartbeatsThatFailDoNotEndThem) {
  config().connection_timeout = milliseconds(20);
  auto queue = Open();
  queue.Enqueue("message");
  SqliteShell shell(path());
  shell.Execute("BEGIN IMMEDIATE");
  LetHeartbeatsFallDue();
  while (Metrics().failed_requests < 2) std::this_thread::sleep_for(milliseconds(1));
  const auto before = LastHeartbeat(shell);
  shell.Execute("ROLLBACK");
  WaitForHeartbeatAfter(shell, before);
}

}  // namespace
}  // namespace pgqrs::testing
