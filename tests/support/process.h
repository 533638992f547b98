#ifndef PGQRS_TESTS_SUPPORT_PROCESS_H_
#define PGQRS_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

namespace pgqrs::testing {

// Another process that runs this very program with other arguments. It dies with this object.
class Process {
 public:
  explicit Process(std::vector<std::string> arguments);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  // kill -9, and waits for the end.
  void Kill();

  // Makes it stand still, and waits until it does.
  void Suspend();
  void Continue() { Signal(SIGCONT); }

  bool HasEnded() { return Poll().has_value(); }

  // Its exit code, or minus the signal that ended it. One that takes longer is killed.
  int Wait(std::chrono::seconds patience = std::chrono::seconds(120));

 private:
  void Signal(int signal);
  std::optional<int> Poll();

  pid_t pid_ = -1;
  std::optional<int> result_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_PROCESS_H_
