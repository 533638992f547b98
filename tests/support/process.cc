#include "support/process.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <system_error>
#include <thread>
#include <utility>

namespace pgqrs::testing {
namespace {

int ResultOf(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }

}  // namespace

Process::Process(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "/proc/self/exe");
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int code = posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ);
  if (code != 0) throw std::system_error(code, std::generic_category(), "posix_spawn");
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), result_(other.result_) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(result_, other.result_);
  return *this;
}

Process::~Process() {
  if (pid_ > 0) Kill();
}

void Process::Kill() {
  Signal(SIGKILL);
  while (!HasEnded()) std::this_thread::sleep_for(std::chrono::microseconds(200));
}

void Process::Suspend() {
  Signal(SIGSTOP);
  int status = 0;
  if (HasEnded() || waitpid(pid_, &status, WUNTRACED) != pid_) return;
  if (!WIFSTOPPED(status)) result_ = ResultOf(status);
}

int Process::Wait(std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!HasEnded() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  Kill();
  return *result_;
}

void Process::Signal(int signal) {
  if (!HasEnded()) kill(pid_, signal);
}

std::optional<int> Process::Poll() {
  int status = 0;
  if (!result_ && waitpid(pid_, &status, WNOHANG) == pid_) result_ = ResultOf(status);
  return result_;
}

}  // namespace pgqrs::testing
