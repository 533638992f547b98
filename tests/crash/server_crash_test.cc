// A Postgres server that dies while processes are at work, and comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "crash/crash_test.h"
#include "support/postgres_shell.h"
#include "support/seed.h"

namespace pgqrs::testing {
namespace {

class ServerCrash : public CrashTest {
 protected:
  ServerCrash() { UseDsn(server_.dsn()); }

  // What commits is answered when the standby has it.
  void AwaitSynchronousStandby() {
    PostgresShell shell(server_.dsn());
    shell.Execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
    shell.Execute("SELECT pg_reload_conf()");
    const auto deadline = std::chrono::steady_clock::now() + minutes(1);
    while (shell.QueryInt("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") !=
           1) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::sleep_for(milliseconds(10));
    }
  }

  // Of whichever of the two servers can write.
  std::string DsnWith(const PostgresServer& standby) const {
    auto dsn = server_.dsn();
    const auto of_standby = standby.dsn();
    const auto host = of_standby.find('@') + 1;
    const auto end = dsn.find('/', dsn.find('@'));
    dsn.insert(end, "," + of_standby.substr(host, of_standby.find('/', host) - host));
    return dsn + "?target_session_attrs=read-write";
  }

  void StartProcesses() {
    for (const auto* name : {"p1", "p2"}) StartProcess("produce", {name, "5"});
    for (int i = 0; i < 2; ++i) StartProcess("work", {"500"});
  }

  // Waits until so many messages more than now were enqueued and so many acked.
  void AwaitProgress(std::size_t n) {
    const auto before = ReadJournals();
    const auto deadline = std::chrono::steady_clock::now() + minutes(1);
    for (auto now = before; now.enqueued.size() < before.enqueued.size() + n ||
                            now.acked.size() < before.acked.size() + n;
         now = ReadJournals()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "they do not go on";
      for (auto& process : processes_) ASSERT_FALSE(process.HasEnded()) << "it ended by itself";
      std::this_thread::sleep_for(milliseconds(10));
    }
  }

  void EndProcesses() { processes_.clear(); }

  PostgresServer server_;

 private:
  void StartProcess(const std::string& role, std::vector<std::string> arguments) {
    processes_.push_back(Start(role, std::move(arguments)));
    AwaitFirstNote(processes_.back());
  }

  std::vector<Process> processes_;
};

TEST_F(ServerCrash, LosesAndDoublesNothing) {
  Seeded random;
  StartProcesses();
  const auto rounds = (FromEnvironment("PGQRS_CRASH_ROUNDS", 20) + 9) / 10;
  for (std::int64_t round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::this_thread::sleep_for(microseconds(random.Pick(0, 100'000)));
    server_.Restart(PostgresServer::StopMode::kImmediate);
    CheckAgainstJournals();
    AwaitProgress(20);
  }
  EndProcesses();
  Drain();
  CheckAgainstJournals();
}

TEST_F(ServerCrash, IsFollowedByTheStandbyThatIsPromoted) {
  if (!std::filesystem::exists(server_.bin_folder() / "pg_basebackup")) {
    GTEST_SKIP() << "this package of Postgres has no pg_basebackup";
  }
  auto standby = PostgresServer::StandbyOf(server_);
  AwaitSynchronousStandby();
  UseDsn(DsnWith(standby));
  StartProcesses();
  AwaitProgress(20);

  server_.Stop(PostgresServer::StopMode::kImmediate);
  standby.Promote();

  AwaitProgress(20);
  CheckAgainstJournals();
  EndProcesses();
  Drain();
  CheckAgainstJournals();
}

}  // namespace
}  // namespace pgqrs::testing
