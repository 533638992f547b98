#include "engine/intake.h"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace pgqrs::engine {
namespace {

using Kind = queue::Request::Kind;

// A group ends where it has reached so many messages or bytes. It keeps a transaction to some ten
// milliseconds.
constexpr std::size_t kMaxGroupMessages = 8192;
constexpr std::size_t kMaxGroupBytes = std::size_t{4} << 20;

std::size_t MessagesOf(const queue::Request& request) {
  switch (request.kind) {
    case Kind::kEnqueue:
      return static_cast<const queue::EnqueueRequest&>(request).payloads.size();
    case Kind::kDequeue:
      return static_cast<std::size_t>(static_cast<const queue::DequeueRequest&>(request).count);
    case Kind::kSettle:
      return static_cast<const queue::SettleRequest&>(request).targets.size();
    case Kind::kJob:
      break;
  }
  return kMaxGroupMessages;
}

}  // namespace

bool Intake::Push(std::vector<RequestPtr>& requests) {
  std::unique_lock lock(mutex_);
  if (IsFull()) {
    ++blocked_callers_;
    not_full_.wait(lock, [this] { return !IsFull() || closed_; });
    --blocked_callers_;
  }
  if (closed_) return false;
  Add(requests);
  return true;
}

bool Intake::PushNow(std::vector<RequestPtr>& requests) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  Add(requests);
  return true;
}

bool Intake::IsFull() const { return waiting_.size() >= max_requests_ || bytes_ >= max_bytes_; }

void Intake::Add(std::vector<RequestPtr>& requests) {
  for (auto& request : requests) {
    bytes_ += request->bytes;
    waiting_.push_back(std::move(request));
  }
  WakeLane();
}

// While the lane is lent its thread has nothing to do but wait for its return.
void Intake::WakeLane() {
  if (!lent_ && std::exchange(lane_waits_, false)) not_empty_.notify_one();
}

bool Intake::Borrow() {
  const std::lock_guard lock(mutex_);
  if (!lane_waits_ || lent_ || HasWork() || closed_) return false;
  lent_ = true;
  return true;
}

void Intake::GiveBack() {
  const std::lock_guard lock(mutex_);
  lent_ = false;
  if (HasWork() || closed_) WakeLane();
}

void Intake::Poke() {
  const std::lock_guard lock(mutex_);
  poked_ = true;
  WakeLane();
}

Intake::Work Intake::Next() {
  std::unique_lock lock(mutex_);
  LetCallersCatchUp(lock);
  while (lent_ || (!HasWork() && !closed_)) {
    lane_waits_ = true;
    not_empty_.wait(lock);
  }
  lane_waits_ = false;
  Work work = {.group = TakeGroup(), .poked = std::exchange(poked_, false)};
  work.closed = closed_ && work.group.empty();
  last_group_ = work.group.size();
  if (blocked_callers_ > 0) not_full_.notify_all();
  return work;
}

// After a group of many requests as many callers have just been woken, and most are about to ask
// for the next thing. Without a chance to do so they would miss the next transaction and wait for
// one more. A lone caller never waits here.
void Intake::LetCallersCatchUp(std::unique_lock<std::mutex>& lock) {
  while (last_group_ > 1 && waiting_.size() < last_group_) {
    const auto before = waiting_.size();
    lock.unlock();
    sched_yield();
    lock.lock();
    if (waiting_.size() == before) break;
  }
}

std::vector<RequestPtr> Intake::TakeGroup() {
  std::vector<RequestPtr> group;
  std::size_t messages = 0;
  std::size_t bytes = 0;
  while (!waiting_.empty()) {
    auto& next = waiting_.front();
    const auto next_messages = std::max<std::size_t>(1, MessagesOf(*next));
    const bool fits = messages + next_messages <= kMaxGroupMessages &&
                      bytes + next->bytes <= kMaxGroupBytes && next->kind != Kind::kJob;
    if (!group.empty() && !fits) break;
    messages += next_messages;
    bytes += next->bytes;
    bytes_ -= next->bytes;
    const bool alone = next->kind == Kind::kJob;
    group.push_back(std::move(next));
    waiting_.pop_front();
    if (alone) break;
  }
  return group;
}

void Intake::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  not_empty_.notify_all();
  not_full_.notify_all();
}

std::size_t Intake::size() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

}  // namespace pgqrs::engine
