#include "server.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "machine.h"
#include "measure.h"

namespace bench {
namespace {

// Of /proc/PID/stat; see proc(5).
struct ProcessStat {
  std::string name;
  pid_t parent = 0;
  std::int64_t own_ticks = 0;
  std::int64_t ended_children_ticks = 0;
};

std::optional<ProcessStat> StatOf(const std::filesystem::path& process) {
  std::string line;
  std::getline(std::ifstream(process / "stat"), line);
  const auto begin = line.find('(');
  const auto end = line.rfind(')');
  if (begin == std::string::npos || end == std::string::npos) return std::nullopt;  // Has ended.
  ProcessStat stat{.name = line.substr(begin + 1, end - begin - 1)};
  std::istringstream rest(line.substr(end + 1));
  std::string state;
  rest >> state >> stat.parent;
  std::string skipped;
  for (int field = 5; field < 14; ++field) rest >> skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  std::int64_t children_user = 0;
  std::int64_t children_system = 0;
  rest >> user >> system >> children_user >> children_system;
  if (rest.fail()) return std::nullopt;
  stat.own_ticks = user + system;
  stat.ended_children_ticks = children_user + children_system;
  return stat;
}

}  // namespace

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto to_seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return to_seconds(usage.ru_utime) + to_seconds(usage.ru_stime);
}

Server::Server(const std::string& dsn) : session_(dsn, "public") {}

std::string Server::Setting(const std::string& name) { return session_.Text("SHOW " + name); }

void Server::ExpectDurable() {
  for (const auto* name : {"fsync", "full_page_writes", "synchronous_commit"}) {
    Expect(Setting(name) == "on", "the server has " + std::string(name) + "=" + Setting(name));
  }
  // No row for those who may not know.
  const auto folder =
      session_.Text("SELECT setting FROM pg_settings WHERE name = 'data_directory'");
  Expect(folder.empty() || !IsInMemory(folder), folder + " is in memory, where nothing is durable");
}

double Server::CpuSeconds() const {
  const std::filesystem::path proc = "/proc";
  const auto backend = StatOf(proc / std::to_string(PQbackendPID(session_.handle())));
  Expect(backend && backend->name.starts_with("postgres"),
         "the server does not run on this machine");
  const auto postmaster = StatOf(proc / std::to_string(backend->parent));
  Expect(postmaster.has_value(), "the server is gone");
  auto ticks = postmaster->own_ticks + postmaster->ended_children_ticks;
  for (const auto& entry : std::filesystem::directory_iterator(proc)) {
    if (entry.path().filename().string().find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    const auto stat = StatOf(entry.path());
    if (stat && stat->parent == backend->parent) {
      ticks += stat->own_ticks + stat->ended_children_ticks;
    }
  }
  return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::int64_t Server::WalPosition() {
  return session_.Number("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')");
}

std::int64_t Server::Transactions() {
  return session_.Number(
      "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()");
}

void Server::WaitForLastClient() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (session_.Number("SELECT count(*) FROM pg_stat_activity WHERE application_name = '" +
                         std::string(kApplicationName) + "' AND pid <> pg_backend_pid()") > 0) {
    Expect(std::chrono::steady_clock::now() < deadline, "connections of ours are still open");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::int64_t Server::DeadTuples(const std::string& schema) {
  return session_.Number(
      "SELECT sum(n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE schemaname = '" + schema +
      "'");
}

}  // namespace bench
