#include "support/postgres_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "support/postgres_shell.h"

namespace pgqrs::testing {
namespace {

std::system_error LastError(const std::string& what) {
  return {errno, std::generic_category(), what};
}

// Starts a program with its standard output at the other end of `output`.
pid_t Spawn(std::vector<std::string> arguments, int output) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t pid = -1;
  const int code = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) throw std::system_error(code, std::generic_category(), "posix_spawn");
  return pid;
}

// Everything that can be read from a pipe until its other end is closed.
std::string ReadAll(int input) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t n = read(input, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(buffer, n);
  }
}

// Runs scripts/postgres, and gives what it prints, without the last line's end.
std::string RunScript(std::vector<std::string> arguments) {
  const std::string command = arguments.at(0);
  arguments.insert(arguments.begin(), PGQRS_TESTS_SCRIPTS_FOLDER "/postgres");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw LastError("pipe2");
  pid_t pid = -1;
  try {
    pid = Spawn(std::move(arguments), ends[1]);
  } catch (...) {
    close(ends[0]);
    close(ends[1]);
    throw;
  }
  close(ends[1]);
  std::string printed = ReadAll(ends[0]);
  close(ends[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw LastError("waitpid");
  }
  if (status != 0) throw std::runtime_error("scripts/postgres " + command + " failed");
  if (!printed.empty()) printed.pop_back();
  return printed;
}

void AppendSettings(std::vector<std::string>& arguments, const std::vector<std::string>& settings) {
  for (const auto& setting : settings) {
    arguments.emplace_back("--option");
    arguments.push_back(setting);
  }
}

std::vector<std::string> AsArguments(const PostgresOptions& options) {
  std::vector<std::string> arguments = {"--fsync", options.fsync ? "on" : "off"};
  if (options.tls) arguments.emplace_back("--tls");
  AppendSettings(arguments, options.settings);
  return arguments;
}

std::string_view NameOf(PostgresServer::StopMode mode) {
  return mode == PostgresServer::StopMode::kFast ? "fast" : "immediate";
}

// The path has to be short, since it is part of the path of a socket.
std::filesystem::path NewFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "pgqrs-pg-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw LastError("mkdtemp " + pattern);
  return pattern;
}

std::string PercentEncoded(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      encoded += c;
    } else {
      encoded.append({'%', kDigits[byte / 16], kDigits[byte % 16]});
    }
  }
  return encoded;
}

// The DSN of another database of the same server.
std::string WithDatabase(const std::string& dsn, const std::string& database) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(dsn.c_str(), nullptr), &PQconninfoFree);
  if (options == nullptr) throw std::runtime_error("PGQRS_TEST_POSTGRES_DSN is no DSN of Postgres");
  std::string result = "postgresql:///" + database;
  char separator = '?';
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr || std::string_view(option->keyword) == "dbname") continue;
    result += separator + std::string(option->keyword) + '=' + PercentEncoded(option->val);
    separator = '&';
  }
  return result;
}

// Runs of other processes may use the same server.
std::string UniqueName() {
  std::random_device random;
  const auto number = (static_cast<std::uint64_t>(random()) << 32) | random();
  return "pgqrs_test_" + std::to_string(number);
}

}  // namespace

PostgresServer::PostgresServer(const PostgresOptions& options)
    : PostgresServer("start", AsArguments(options), options.owner) {}

PostgresServer::PostgresServer(std::string command, const std::vector<std::string>& arguments,
                               std::optional<pid_t> owner)
    : maker_(getpid()), folder_(NewFolder()) {
  auto all = arguments;
  all.emplace_back("--owner");
  all.push_back(std::to_string(owner.value_or(maker_)));
  dsn_ = Run(std::move(command), all);
}

PostgresServer::~PostgresServer() {
  if (getpid() != maker_) return;  // A child that was forked; the server is its parent's.
  try {
    Run("remove", {});
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
  }
}

PostgresServer PostgresServer::StandbyOf(const PostgresServer& primary) {
  return {"standby", {primary.folder().string()}};
}

PostgresServer PostgresServer::PoolerOf(const PostgresServer& server, std::string_view mode,
                                        const std::vector<std::string>& settings) {
  std::vector<std::string> arguments = {server.folder().string(), "--mode", std::string(mode)};
  AppendSettings(arguments, settings);
  return {"pgbouncer", arguments};
}

bool PostgresServer::HasPooler() {
  const char* path = std::getenv("PATH");
  // scripts/postgres looks there too.
  std::istringstream folders(std::string(path != nullptr ? path : "") + ":/usr/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((folder + "/pgbouncer").c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::string PostgresServer::tcp_dsn() const { return Run("dsn", {"--tcp"}); }

std::filesystem::path PostgresServer::bin_folder() const {
  std::string path;
  std::getline(std::ifstream(folder_ / "bin"), path);
  return path;
}

void PostgresServer::Start() { Run("start", {}); }

void PostgresServer::Stop(StopMode mode) { Run("stop", {"--mode", std::string(NameOf(mode))}); }

void PostgresServer::Restart(StopMode mode) {
  Run("restart", {"--mode", std::string(NameOf(mode))});
}

void PostgresServer::Promote() { Run("promote", {}); }

std::string PostgresServer::Run(std::string command,
                                const std::vector<std::string>& arguments) const {
  std::vector<std::string> all = {std::move(command), folder_.string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return RunScript(std::move(all));
}

class SharedPostgresServer::DropsAfterTests : public ::testing::EmptyTestEventListener {
 public:
  explicit DropsAfterTests(SharedPostgresServer& server) : server_(server) {}
  void OnTestEnd(const ::testing::TestInfo&) override { server_.Drop(/*all=*/false); }

 private:
  SharedPostgresServer& server_;
};

SharedPostgresServer::SharedPostgresServer(const char* dsn) : maker_(getpid()) {
  if (dsn == nullptr) server_ = std::make_unique<PostgresServer>(PostgresOptions{.fsync = false});
  dsn_ = server_ != nullptr ? server_->dsn() : dsn;
  auto listener = std::make_unique<DropsAfterTests>(*this);
  listener_ = listener.get();
  ::testing::UnitTest::GetInstance()->listeners().Append(listener.release());
}

SharedPostgresServer::~SharedPostgresServer() {
  Drop(/*all=*/true);
  const std::unique_ptr<::testing::TestEventListener> released(
      ::testing::UnitTest::GetInstance()->listeners().Release(listener_));
}

std::string SharedPostgresServer::NewDatabase() {
  const auto name = UniqueName();
  // Without fsync, file_copy takes a bit more than half the time of wal_log.
  PostgresShell(dsn_).Execute("CREATE DATABASE " + name + " TEMPLATE template0 STRATEGY file_copy");
  Lend("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)");
  return WithDatabase(dsn_, name);
}

std::string SharedPostgresServer::NewSchema() {
  auto name = UniqueName();
  Lend("DROP SCHEMA IF EXISTS " + name + " CASCADE");
  return name;
}

void SharedPostgresServer::Lend(std::string drop_statement) {
  const bool is_of_a_test = ::testing::UnitTest::GetInstance()->current_test_info() != nullptr;
  lent_.push_back({std::move(drop_statement), is_of_a_test});
}

void SharedPostgresServer::Drop(bool all) {
  std::vector<Lent> to_drop;
  for (auto& lent : std::exchange(lent_, {})) {
    (all || lent.is_of_a_test ? to_drop : lent_).push_back(std::move(lent));
  }
  if (to_drop.empty() || getpid() != maker_) return;
  try {
    PostgresShell shell(dsn_);
    shell.Execute("SET client_min_messages = warning");
    for (const auto& lent : to_drop) shell.Execute(lent.drop_statement);
  } catch (const std::exception& error) {
    std::cerr << "cannot drop what a test used: " << error.what() << '\n';
  }
}

SharedPostgresServer& SharedPostgres() {
  static SharedPostgresServer server(std::getenv("PGQRS_TEST_POSTGRES_DSN"));
  return server;
}

}  // namespace pgqrs::testing
