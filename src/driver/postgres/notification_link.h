#ifndef PGQRS_DRIVER_POSTGRES_NOTIFICATION_LINK_H_
#define PGQRS_DRIVER_POSTGRES_NOTIFICATION_LINK_H_

#include <poll.h>

#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "driver/driver.h"
#include "driver/postgres/async_session.h"

namespace pgqrs::driver {

// The connection over which notifications of one channel come and go: opened when it is first
// needed, and again where it was lost. It never waits, and is used by one thread.
//
// Behind a pooler that gives a server connection for one transaction only, LISTEN succeeds and
// nothing is ever heard. A notification to oneself does not show that: the pooler may give the same
// server connection twice. So where the server's process is not the one that the connection was
// told of, another connection notifies this one.
class NotificationLink {
 public:
  using Time = std::chrono::steady_clock::time_point;

  NotificationLink(AsyncSession::Parameters parameters, std::string channel, Duration timeout);

  // Goes on as far as it can: connects, listens where that is wanted, and sends.
  void Advance(Time now, bool wants_to_listen);

  // Sends a payload, once it can, and as often as it takes. Only where !is_sending().
  void Send(std::string payload) { sending_ = std::move(payload); }
  bool is_sending() const { return sending_.has_value(); }

  // The payloads that came since the last call.
  std::vector<std::string> TakeHeard() { return std::exchange(heard_, {}); }

  // Whether it has begun to listen since the last call: what was sent before was missed.
  bool TakeBegan() { return std::exchange(began_, false); }

  bool is_deaf() const { return listening_ == Listening::kDeaf; }

  // Whether the last attempt to reach the server failed.
  bool is_cut_off() const { return backoff_ > Duration::zero(); }

  // What to wait for before Advance() can do more: these files, or this time.
  void AppendFiles(std::vector<pollfd>& files) const;
  std::optional<Time> wake_at() const { return wake_at_; }

 private:
  enum class Doing : std::uint8_t { kNothing, kListening, kUnlistening, kSending };
  enum class Listening : std::uint8_t { kNo, kUnproven, kYes, kDeaf };

  void AdvanceSession(Time now, bool wants_to_listen);
  void AdvanceProbe(Time now);
  bool Open(Time now, bool wants_to_listen);
  void Finished(Time now);
  void StartNext(Time now, bool wants_to_listen);
  void Do(Doing doing, Time now);
  void StartProbe(Time now);
  void BecomeDeaf(Time now);
  void Lost(Time now);
  void ReadHeard();
  void SendPayload(AsyncSession& session, const std::string& payload) const;
  void UpdateWakeTime(bool wants_to_listen);

  const AsyncSession::Parameters parameters_;
  const std::string channel_;
  const Duration timeout_;
  std::optional<AsyncSession> session_;
  Doing doing_ = Doing::kNothing;
  Listening listening_ = Listening::kNo;
  bool must_unlisten_ = false;
  std::optional<std::string> sending_;
  std::vector<std::string> heard_;
  bool began_ = false;
  Time deadline_;         // Of connecting, or of the statement under way.
  Duration backoff_{0};   // None while all is well.
  Time try_again_at_;     // To connect.
  Time listen_again_at_;  // Where it is deaf.

  // The other connection, while it has yet to show whether this one hears.
  std::optional<AsyncSession> probe_;
  std::string probe_payload_;
  bool probe_has_sent_ = false;
  Time probe_deadline_;

  std::optional<Time> wake_at_;
  std::minstd_rand random_{std::random_device()()};
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_NOTIFICATION_LINK_H_
