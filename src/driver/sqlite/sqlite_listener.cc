#include "driver/sqlite/sqlite_listener.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>
#include <utility>

#include "util/thread.h"

#ifdef __linux__
#include <sys/eventfd.h>
#include <sys/inotify.h>
#endif

namespace pgqrs::driver {

#ifdef __linux__

namespace {

// After a change, changes within this time are taken together: it bounds what a busy writer
// elsewhere costs an idle consumer here.
constexpr auto kRest = std::chrono::milliseconds(1);

// When to look again after a write: soon, and then after twice the time as often as before. The
// last look comes most of a second after the write, which covers a sync on a busy disk; what takes
// longer is left to the fallback poll.
constexpr auto kFirstLook = std::chrono::microseconds(100);
constexpr auto kLastLook = std::chrono::microseconds(500'000);

void Drain(int file) {
  std::array<char, 4096> buffer;
  while (read(file, buffer.data(), buffer.size()) > 0) {
  }
}

}  // namespace

std::unique_ptr<SqliteListener> SqliteListener::Start(
    const FileOptions& options, std::function<void(const Announcement&)> on_change) {
  Descriptor notifier(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  Descriptor control(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (notifier.number() < 0 || control.number() < 0) return nullptr;
  return std::unique_ptr<SqliteListener>(
      new SqliteListener(options, std::move(on_change), std::move(notifier), std::move(control)));
}

SqliteListener::SqliteListener(const FileOptions& options,
                               std::function<void(const Announcement&)> on_change,
                               Descriptor notifier, Descriptor control)
    : log_path_(options.path + "-wal"),
      on_change_(std::move(on_change)),
      notifier_(std::move(notifier)),
      control_(std::move(control)),
      database_(OpenSqlite(options.path, IfNoFile::kFail)),
      data_version_(database_.get()) {
  thread_ = util::StartThread([this] { Listen(); });
}

SqliteListener::Descriptor::~Descriptor() {
  if (number_ >= 0) close(number_);
}

SqliteListener::~SqliteListener() {
  stop_ = true;
  Poke();
  thread_.join();
}

void SqliteListener::SetArmed(bool armed) {
  if (armed_.exchange(armed) != armed) Poke();
}

void SqliteListener::Poke() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(control_.number(), &one, sizeof one);
}

// Adds or removes the watch as armed_ says. Whoever arms looks at the database itself afterwards,
// so what was committed just before is not missed, except between that look and the watch: hence a
// report whenever the watch is added.
void SqliteListener::FollowArmed() {
  const bool armed = armed_;
  if (armed == (watch_ >= 0)) return;
  if (armed) {
    watch_ = inotify_add_watch(notifier_.number(), log_path_.c_str(), IN_MODIFY);
    cannot_watch_ = watch_ < 0;
    data_version_.HasChanged();
    on_change_({});
    // A commit may be between its write, which the watch came too late for, and the end of it.
    look_again_after_ = kFirstLook;
  } else {
    inotify_rm_watch(notifier_.number(), watch_);
    watch_ = -1;
    look_again_after_.reset();
  }
}

void SqliteListener::Wait() {
  std::array<pollfd, 2> files = {{{.fd = notifier_.number(), .events = POLLIN, .revents = 0},
                                  {.fd = control_.number(), .events = POLLIN, .revents = 0}}};
  timespec timeout = {};
  if (look_again_after_) {
    timeout.tv_nsec = std::chrono::nanoseconds(*look_again_after_).count();
  }
  ppoll(files.data(), files.size(), look_again_after_ ? &timeout : nullptr, nullptr);
  if (files[1].revents != 0) {
    Drain(control_.number());
    FollowArmed();
  }
  if (files[0].revents != 0) {
    Drain(notifier_.number());
    look_again_after_ = kFirstLook;
  } else if (look_again_after_) {
    look_again_after_ = *look_again_after_ * 2;
    if (*look_again_after_ > kLastLook) look_again_after_.reset();
  }
}

void SqliteListener::Listen() {
  while (!stop_) {
    Wait();
    if (watch_ < 0 || !data_version_.HasChanged()) continue;
    on_change_({});
    std::this_thread::sleep_for(kRest);
  }
}

#else  // No inotify.

std::unique_ptr<SqliteListener> SqliteListener::Start(const FileOptions&,
                                                      std::function<void(const Announcement&)>) {
  return nullptr;
}
SqliteListener::Descriptor::~Descriptor() = default;
SqliteListener::~SqliteListener() = default;
void SqliteListener::SetArmed(bool) {}

#endif

}  // namespace pgqrs::driver
