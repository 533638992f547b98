#include "driver/postgres/notification_hub.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <exception>
#include <string_view>
#include <system_error>
#include <utility>

#include "driver/postgres/announcement_text.h"
#include "util/fork.h"

namespace pgqrs::driver {
namespace {

// How long the end of the last store may take to send what was announced just before.
constexpr auto kFarewell = std::chrono::seconds(1);

// Of the time-outs that stores choose for their own calls. Nobody waits for this connection.
constexpr auto kLeastTimeout = std::chrono::seconds(2);
constexpr auto kMostTimeout = std::chrono::seconds(30);

constexpr auto kNever = NotificationHub::Time::max();

using Parameters = AsyncSession::Parameters;

// Those of a store, without what differs between stores of one server, and with signs of life: a
// connection that only waits would not notice that the other side is gone.
Parameters LinkParameters(const PostgresOptions& options) {
  Parameters parameters = {
      {"keepalives_idle", "30"}, {"keepalives_interval", "10"}, {"keepalives_count", "3"}};
  for (const auto& parameter : options.parameters) {
    if (parameter.first != "connect_timeout") parameters.push_back(parameter);
  }
  return parameters;
}

// The hubs of this process. A forked child has a registry of its own, since the parent's may have
// been in use at the fork.
class Registry {
 public:
  // Never destroyed: a store may outlive every other static object.
  static Registry& Get() {
    static std::atomic<Registry*> current{nullptr};
    auto* registry = current.load();
    while (registry == nullptr || registry->fork_generation_ != util::ForkGeneration()) {
      auto fresh = std::make_unique<Registry>();
      if (current.compare_exchange_strong(registry, fresh.get())) registry = fresh.release();
    }
    return *registry;
  }

  std::shared_ptr<NotificationHub> HubOf(const PostgresOptions& options) {
    const std::lock_guard lock(mutex_);
    std::erase_if(hubs_, [](const auto& entry) { return entry.second.expired(); });
    auto& known = hubs_[{LinkParameters(options), options.schema}];
    auto hub = known.lock();
    if (!hub) {
      hub = std::make_shared<NotificationHub>(options);
      known = hub;
    }
    return hub;
  }

 private:
  const std::uint64_t fork_generation_ = util::ForkGeneration();
  std::mutex mutex_;
  std::map<std::pair<Parameters, std::string>, std::weak_ptr<NotificationHub>> hubs_;
};

int NewEventFile() {
  const int file = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (file < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  return file;
}

}  // namespace

void HeardAnnouncements::Add(const Announcement& announcement) {
  auto queue_id = announcement.queue_id;
  if (earliest_.size() >= kMaxQueues && !earliest_.contains(queue_id)) queue_id = 0;
  const auto [it, is_new] = earliest_.try_emplace(queue_id, announcement.visible_at);
  it->second = std::min(it->second, announcement.visible_at);
}

std::vector<Announcement> HeardAnnouncements::TakeAll() {
  std::vector<Announcement> all;
  all.reserve(earliest_.size());
  for (const auto& [queue_id, visible_at] : earliest_) {
    all.push_back({.queue_id = queue_id, .visible_at = visible_at});
  }
  earliest_.clear();
  return all;
}

std::shared_ptr<NotificationHub> NotificationHub::Of(const PostgresOptions& options) {
  return Registry::Get().HubOf(options);
}

NotificationHub::NotificationHub(const PostgresOptions& options)
    : name_(RandomName()),
      control_(NewEventFile()),
      link_(LinkParameters(options), ChannelOf(options.schema),
            std::clamp<Duration>(options.timeout, kLeastTimeout, kMostTimeout)) {}

NotificationHub::~NotificationHub() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
      stop_by_ = std::chrono::steady_clock::now() + kFarewell;
      Poke();
    }
    thread_.join();
  }
  close(control_);
}

void NotificationHub::Add(const std::shared_ptr<Ear>& ear) {
  const std::lock_guard lock(mutex_);
  Start();
  ears_.push_back(ear);
  // What was said before it was here it has missed.
  if (has_begun_) ear->heard.Add({});
}

void NotificationHub::Remove(const std::shared_ptr<Ear>& ear) {
  const std::lock_guard telling(tell_mutex_);
  const std::lock_guard lock(mutex_);
  std::erase(ears_, ear);
}

void NotificationHub::SetArmed(Ear& ear, bool armed) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ear.is_armed, armed) != armed && armed) Poke();
}

void NotificationHub::Announce(const void* owner, const Announcement& announcement,
                               Duration ahead) {
  const std::lock_guard lock(mutex_);
  Start();
  Hear(announcement, owner);
  const auto due = outbox_.Add(announcement, ahead, std::chrono::steady_clock::now());
  if (sleeps_until_ && (due < *sleeps_until_ || HasNews())) Poke();
}

void NotificationHub::Start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
}

void NotificationHub::Poke() {
  sleeps_until_.reset();
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(control_, &one, sizeof one);
}

void NotificationHub::Hear(const Announcement& announcement, const void* owner) {
  for (const auto& ear : ears_) {
    if (owner == nullptr || ear->owner != owner) ear->heard.Add(announcement);
  }
}

bool NotificationHub::HasNews() const {
  return std::any_of(ears_.begin(), ears_.end(),
                     [](const auto& ear) { return ear->is_armed && !ear->heard.empty(); });
}

void NotificationHub::Run() {
  for (;;) {
    Tell();
    const auto now = std::chrono::steady_clock::now();
    const bool wants_to_listen = FeedLink(now);
    link_.Advance(now, wants_to_listen);
    is_deaf_ = link_.is_deaf() || link_.is_cut_off();
    if (MustStop(now)) return;
    if (!HearFromOthers()) Wait();
  }
}

// At the end it waits for what is still to be sent, but not for a server that cannot be reached.
bool NotificationHub::MustStop(Time now) {
  const std::lock_guard lock(mutex_);
  if (!is_stopping_) return false;
  const bool has_sent_all = !link_.is_sending() && !outbox_.NextDue();
  return has_sent_all || link_.is_cut_off() || now >= stop_by_;
}

// Gives the link what is due. Answers whether somebody wants to hear.
bool NotificationHub::FeedLink(Time now) {
  const std::lock_guard lock(mutex_);
  if (!link_.is_sending()) {
    const auto due = is_stopping_ ? outbox_.TakeAny(now, kMaxAnnouncementsInText)
                                  : outbox_.Take(now, kMaxAnnouncementsInText);
    if (!due.empty()) link_.Send(AnnouncementText(name_, due));
  }
  return std::any_of(ears_.begin(), ears_.end(), [](const auto& ear) { return ear->is_armed; });
}

void NotificationHub::Tell() {
  const std::lock_guard telling(tell_mutex_);
  std::vector<std::pair<std::shared_ptr<Ear>, std::vector<Announcement>>> news;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& ear : ears_) {
      if (ear->is_armed && !ear->heard.empty()) news.emplace_back(ear, ear->heard.TakeAll());
    }
  }
  for (const auto& [ear, announcements] : news) {
    try {
      for (const auto& announcement : announcements) ear->on_change(announcement);
    } catch (const std::exception&) {
      // There is no memory. The fallback poll serves.
    }
  }
}

// Takes in what came from the server. Answers whether there is something to tell.
bool NotificationHub::HearFromOthers() {
  const auto texts = link_.TakeHeard();
  const std::lock_guard lock(mutex_);
  if (link_.TakeBegan()) {
    has_begun_ = true;
    Hear({}, nullptr);
  }
  for (const auto& text : texts) {
    const auto received = ReadAnnouncementText(text);
    if (received.sender == name_) continue;
    for (const auto& announcement : received.announcements) Hear(announcement, nullptr);
  }
  return HasNews();
}

void NotificationHub::Wait() {
  std::vector<pollfd> files = {{.fd = control_, .events = POLLIN, .revents = 0}};
  link_.AppendFiles(files);
  auto until = link_.wake_at().value_or(kNever);
  {
    const std::lock_guard lock(mutex_);
    if (HasNews() || (is_stopping_ && !link_.is_sending())) return;
    // What waits for the link is sent when that has answered.
    if (!link_.is_sending()) until = std::min(until, outbox_.NextDue().value_or(kNever));
    if (is_stopping_) until = std::min(until, stop_by_);
    sleeps_until_ = until;
  }
  const auto left = std::max(std::chrono::nanoseconds(0),
                             std::chrono::nanoseconds(until - std::chrono::steady_clock::now()));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  const timespec timeout = {.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
  ppoll(files.data(), files.size(), until == kNever ? nullptr : &timeout, nullptr);
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = read(control_, &count, sizeof count);
  const std::lock_guard lock(mutex_);
  sleeps_until_.reset();
}

}  // namespace pgqrs::driver
