#include "child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

#include "measure.h"

namespace bench {
namespace {

[[noreturn]] void FailSystem(int code, const std::string& doing) {
  throw std::system_error(code, std::generic_category(), doing);
}

// The settings that posix_spawn takes: stdout goes to the pipe, and the signals that the parent
// blocks for its watchdog are let through again.
class SpawnSettings {
 public:
  explicit SpawnSettings(int output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

ChildProcess::ChildProcess(std::string_view name, const Place& place) {
  const auto& options = place.options();
  const auto program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<std::string> words = {program,
                                    "--child",
                                    std::string(name),
                                    "--backend",
                                    std::string(NameOf(options.backend)),
                                    "--database",
                                    place.database(),
                                    "--rounds",
                                    std::to_string(options.rounds),
                                    "--scale",
                                    std::to_string(options.scale),
                                    "--synchronous",
                                    options.synchronous};
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) FailSystem(errno, "making a pipe");
  output_ = ends[0];
  const SpawnSettings settings(ends[1]);
  const int code = ::posix_spawn(&process_, program.c_str(), settings.actions(),
                                 settings.attributes(), arguments.data(), environ);
  ::close(ends[1]);
  if (code == 0) return;
  ::close(output_);
  FailSystem(code, "starting " + program);
}

ChildProcess::~ChildProcess() {
  ::close(output_);
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

std::string ChildProcess::ReadLine(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != std::string::npos) {
      auto line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    Expect(left.count() > 0, "the child process does not answer");
    pollfd waiting{.fd = output_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) continue;
    std::array<char, 4096> bytes{};
    const auto n = ::read(output_, bytes.data(), bytes.size());
    Expect(n > 0, "the child process ended too early");
    buffer_.append(bytes.data(), static_cast<std::size_t>(n));
  }
}

void ChildProcess::Wait() {
  int status = 0;
  if (::waitpid(process_, &status, 0) < 0) FailSystem(errno, "waiting for the child process");
  process_ = -1;
  Expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child process failed");
}

void Answer(const nlohmann::json& answer) {
  std::printf("%s\n", answer.dump().c_str());
  std::fflush(stdout);
}

}  // namespace bench
