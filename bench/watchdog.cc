#include "watchdog.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <utility>

namespace bench {
namespace {

sigset_t EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Watchdog::Watchdog(std::function<void(const std::string& why)> give_up)
    : give_up_(std::move(give_up)) {
  const auto signals = EndingSignals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  thread_ = std::thread([this] { Watch(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Watchdog::Begin(std::string step, std::chrono::seconds limit) {
  const std::lock_guard lock(mutex_);
  step_ = std::move(step);
  deadline_ = std::chrono::steady_clock::now() + limit;
}

void Watchdog::Watch() {
  const auto signals = EndingSignals();
  const timespec pause{.tv_sec = 0, .tv_nsec = 200'000'000};
  for (;;) {
    const int signal = ::sigtimedwait(&signals, nullptr, &pause);
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    const auto why = signal > 0 ? "stopped by signal " + std::to_string(signal) : Overdue();
    if (why.empty()) continue;
    give_up_(why);
    std::_Exit(signal > 0 ? 128 + signal : EXIT_FAILURE);
  }
}

std::string Watchdog::Overdue() {
  const std::lock_guard lock(mutex_);
  if (std::chrono::steady_clock::now() < deadline_) return "";
  return step_ + " takes too long";
}

}  // namespace bench
