#include "driver/postgres/notification_link.h"

#include <algorithm>

#include "driver/postgres/announcement_text.h"

namespace pgqrs::driver {
namespace {

// Between two attempts to connect, before a random part is taken off.
constexpr Duration kFirstBackoff = std::chrono::milliseconds(50);
constexpr Duration kLastBackoff = std::chrono::seconds(15);

// How long a notification may take to come back before it counts as lost.
constexpr auto kHearWithin = std::chrono::seconds(2);

// A pooler may be set up anew.
constexpr auto kDeafFor = std::chrono::minutes(1);

}  // namespace

NotificationLink::NotificationLink(AsyncSession::Parameters parameters, std::string channel,
                                   Duration timeout)
    : parameters_(std::move(parameters)), channel_(std::move(channel)), timeout_(timeout) {}

void NotificationLink::Advance(Time now, bool wants_to_listen) {
  const bool may_listen = !is_deaf() || now >= listen_again_at_;
  try {
    AdvanceSession(now, wants_to_listen && may_listen);
  } catch (const Failure&) {
    Lost(now);
  }
  try {
    AdvanceProbe(now);
  } catch (const Failure&) {
    // It shows nothing, so polling is the safe way.
    BecomeDeaf(now);
  }
  UpdateWakeTime(wants_to_listen);
}

void NotificationLink::AdvanceSession(Time now, bool wants_to_listen) {
  if (!session_ && !Open(now, wants_to_listen)) return;
  session_->Advance();
  ReadHeard();
  // A statement that took no time leaves the next one to be started.
  while (session_->is_idle()) {
    if (doing_ != Doing::kNothing) Finished(now);
    StartNext(now, wants_to_listen);
    ReadHeard();
    if (doing_ == Doing::kNothing) return;
  }
  if (now >= deadline_) Lost(now);
}

bool NotificationLink::Open(Time now, bool wants_to_listen) {
  if (now < try_again_at_ || (!wants_to_listen && !sending_)) return false;
  deadline_ = now + timeout_;
  session_.emplace(parameters_);
  return true;
}

void NotificationLink::Finished(Time now) {
  const auto done = std::exchange(doing_, Doing::kNothing);
  backoff_ = Duration::zero();
  if (done == Doing::kSending) {
    // What the server refuses it would refuse again.
    sending_.reset();
  } else if (done == Doing::kListening) {
    if (!session_->succeeded()) {
      BecomeDeaf(now);
    } else if (session_->value() == std::to_string(session_->backend_pid())) {
      listening_ = Listening::kYes;
    } else {
      listening_ = Listening::kUnproven;
      StartProbe(now);
    }
    began_ = began_ || listening_ != Listening::kDeaf;
  }
}

void NotificationLink::StartNext(Time now, bool wants_to_listen) {
  if (must_unlisten_) {
    must_unlisten_ = false;
    Do(Doing::kUnlistening, now);
    session_->Send("UNLISTEN " + channel_);
  } else if (wants_to_listen && (listening_ == Listening::kNo || is_deaf())) {
    Do(Doing::kListening, now);
    session_->Send("LISTEN " + channel_ + "; SELECT pg_catalog.pg_backend_pid()");
  } else if (sending_) {
    Do(Doing::kSending, now);
    SendPayload(*session_, *sending_);
  }
}

void NotificationLink::Do(Doing doing, Time now) {
  doing_ = doing;
  deadline_ = now + timeout_;
}

// Nobody has to wait until a notification is on the disk: a crash of the server ends all sessions
// that could hear it. The setting is for this transaction only, since a pooler may give the session
// to somebody else afterwards.
void NotificationLink::SendPayload(AsyncSession& session, const std::string& payload) const {
  session.Send(
      "SELECT pg_catalog.set_config('synchronous_commit', 'off', true), "
      "pg_catalog.pg_notify($1, $2)",
      {channel_.c_str(), payload.c_str()});
}

void NotificationLink::StartProbe(Time now) {
  probe_payload_ = RandomName();
  probe_has_sent_ = false;
  probe_deadline_ = now + timeout_;
  try {
    probe_.emplace(parameters_);
  } catch (const Failure&) {
    BecomeDeaf(now);
  }
}

void NotificationLink::AdvanceProbe(Time now) {
  if (!probe_) return;
  probe_->Advance();
  if (probe_->is_idle() && !probe_has_sent_) {
    probe_has_sent_ = true;
    probe_deadline_ = now + kHearWithin;
    SendPayload(*probe_, probe_payload_);
  }
  if (now < probe_deadline_) return;
  BecomeDeaf(now);
  if (session_ && session_->is_idle()) StartNext(now, /*wants_to_listen=*/false);
}

// What the LISTEN has left behind in a session of the pooler is taken back, where that is the one
// that it gives now, as it does when there is little to do.
void NotificationLink::BecomeDeaf(Time now) {
  probe_.reset();
  listening_ = Listening::kDeaf;
  listen_again_at_ = now + kDeafFor;
  must_unlisten_ = session_.has_value();
}

void NotificationLink::ReadHeard() {
  for (auto& payload : session_->TakeHeard()) {
    if (probe_ && payload == probe_payload_) {
      listening_ = Listening::kYes;
      probe_.reset();
    } else {
      heard_.push_back(std::move(payload));
    }
  }
}

void NotificationLink::Lost(Time now) {
  session_.reset();
  probe_.reset();
  doing_ = Doing::kNothing;
  must_unlisten_ = false;
  if (!is_deaf()) listening_ = Listening::kNo;
  backoff_ = std::clamp<Duration>(backoff_ * 2, kFirstBackoff, kLastBackoff);
  // Not all at once where a server comes back to many clients.
  std::uniform_int_distribution<Duration::rep> distribution(backoff_.count() / 2, backoff_.count());
  try_again_at_ = now + Duration(distribution(random_));
}

void NotificationLink::AppendFiles(std::vector<pollfd>& files) const {
  if (session_) files.push_back(session_->WaitsFor());
  if (probe_) files.push_back(probe_->WaitsFor());
}

void NotificationLink::UpdateWakeTime(bool wants_to_listen) {
  wake_at_.reset();
  const auto wake_at = [&](Time time) { wake_at_ = wake_at_ ? std::min(*wake_at_, time) : time; };
  if (wants_to_listen && is_deaf()) wake_at(listen_again_at_);
  if (!session_ && (sending_ || (wants_to_listen && !is_deaf()))) wake_at(try_again_at_);
  if (session_ && !session_->is_idle()) wake_at(deadline_);
  if (probe_) wake_at(probe_deadline_);
}

}  // namespace pgqrs::driver
