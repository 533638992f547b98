#include "engine/intake.h"

#include <sched.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "queue/slice.h"

namespace pgqrs::engine {
namespace {

using Kind = queue::Request::Kind;

// A group ends where it has reached so many messages or bytes. It keeps a transaction to some ten
// milliseconds.
constexpr std::size_t kMaxGroupMessages = 8192;
constexpr std::size_t kMaxGroupBytes = std::size_t{4} << 20;

// How many requests that have to wait a lane passes in search of others.
constexpr std::size_t kMaxPassed = 1024;

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

// The first one, so that as few as possible are in use. One that is lent has nothing to do for its
// thread but wait for its return.
void Intake::WakeLane() {
  for (auto& lane : lanes_) {
    if (lane.is_lent || !lane.waits) continue;
    lane.waits = false;
    lane.wake.notify_one();
    return;
  }
}

void Intake::WakeAll() {
  for (auto& lane : lanes_) lane.wake.notify_all();
}

std::optional<std::size_t> Intake::Borrow(queue::Request* request) {
  const std::lock_guard lock(mutex_);
  if (HasWork() || closed_) return std::nullopt;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    auto& lane = lanes_[i];
    if (!lane.waits || lane.is_lent) continue;
    if (request != nullptr && !ClaimFor(lane, *request)) return std::nullopt;
    lane.is_lent = true;
    lane.is_busy = true;
    return i;
  }
  return std::nullopt;
}

void Intake::GiveBack(std::size_t lane) {
  const std::lock_guard lock(mutex_);
  Finish(lanes_[lane]);
  lanes_[lane].is_lent = false;
  if (HasWork() || closed_) WakeLane();
}

void Intake::Poke() {
  const std::lock_guard lock(mutex_);
  poked_ = true;
  WakeLane();
}

Intake::Work Intake::Next(std::size_t index) {
  auto& lane = lanes_[index];
  std::unique_lock lock(mutex_);
  Finish(lane);
  LetCallersCatchUp(lane, lock);
  Work work;
  for (;;) {
    if (!lane.is_lent) {
      work.group = TakeGroup(lane);
      work.poked = std::exchange(poked_, false);
      work.closed = closed_ && work.group.empty() && waiting_.empty();
      if (!work.group.empty() || work.poked || work.closed) break;
    }
    lane.waits = true;
    lane.wake.wait(lock);
    lane.waits = false;
  }
  // Others may have waited with it for the last that had to be done.
  if (work.closed) WakeAll();
  lane.last_group = work.group.size();
  lane.is_busy = !work.group.empty();
  if (blocked_callers_ > 0) not_full_.notify_all();
  return work;
}

// After a group of many requests as many callers have just been woken, and most are about to ask
// for the next thing. Without a chance to do so they would miss the next transaction and wait for
// one more. A lone caller never waits here.
void Intake::LetCallersCatchUp(const Lane& lane, std::unique_lock<std::mutex>& lock) {
  while (lane.last_group > 1 && waiting_.size() < lane.last_group) {
    const auto before = waiting_.size();
    lock.unlock();
    sched_yield();
    lock.lock();
    if (waiting_.size() == before) break;
  }
}

RequestPtr Intake::PopFront() {
  auto request = std::move(waiting_.front());
  waiting_.pop_front();
  return request;
}

// A job that is next, where everything before it is done. An empty group where it has to wait.
std::optional<std::vector<RequestPtr>> Intake::TakeJob(const Lane& lane) {
  if (waiting_.empty() || waiting_.front()->kind != Kind::kJob) return std::nullopt;
  std::vector<RequestPtr> group;
  const bool others_are_idle = std::none_of(lanes_.begin(), lanes_.end(), [&](const Lane& other) {
    return &other != &lane && other.is_busy;
  });
  if (others_are_idle) {
    bytes_ -= waiting_.front()->bytes;
    group.push_back(PopFront());
  }
  return group;
}

std::vector<RequestPtr> Intake::TakeGroup(Lane& lane) {
  if (auto job = TakeJob(lane)) return *std::move(job);
  std::vector<RequestPtr> group;
  std::vector<RequestPtr> passed;  // What another lane has to finish something for.
  std::size_t messages = 0;
  std::size_t bytes = 0;
  while (!waiting_.empty() && passed.size() < kMaxPassed) {
    auto& next = *waiting_.front();
    const auto next_messages = std::max<std::size_t>(1, MessagesOf(next));
    const bool fits = messages + next_messages <= kMaxGroupMessages &&
                      bytes + next.bytes <= kMaxGroupBytes && next.kind != Kind::kJob;
    if (next.kind == Kind::kJob || (!group.empty() && !fits)) break;
    if (!ClaimFor(lane, next)) {
      passed.push_back(PopFront());
      continue;
    }
    messages += next_messages;
    bytes += next.bytes;
    bytes_ -= next.bytes;
    group.push_back(PopFront());
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(passed.begin()),
                  std::make_move_iterator(passed.end()));
  return group;
}

std::vector<Intake::Claimed> Intake::ClaimsOf(const queue::Request& request) {
  using What = Claim::What;
  std::vector<Claimed> claims;
  const auto add_registration = [&](const queue::Worker& worker) {
    if (worker.id == 0) claims.push_back({{What::kRegistration, 0}, true});
  };
  if (request.kind == Kind::kEnqueue) {
    const auto& enqueue = static_cast<const queue::EnqueueRequest&>(request);
    claims.push_back({{What::kEnqueues, enqueue.queue->id}, true});
    add_registration(*enqueue.producer);
  } else if (request.kind == Kind::kDequeue) {
    const auto& dequeue = static_cast<const queue::DequeueRequest&>(request);
    claims.push_back({{What::kDequeues, dequeue.queue->id}, dequeue.queue->is_short});
    add_registration(*dequeue.worker);
  } else if (request.kind == Kind::kSettle) {
    for (const auto& target : static_cast<const queue::SettleRequest&>(request).targets) {
      const Claim claim = {What::kBatch, queue::BatchOf(target.message_id)};
      if (claims.empty() || !(claims.back().claim == claim)) claims.push_back({claim, true});
    }
  }
  return claims;
}

bool Intake::CanClaim(const Lane& lane, const Claimed& wanted) const {
  return std::none_of(lanes_.begin(), lanes_.end(), [&](const Lane& other) {
    if (&other == &lane) return false;
    const auto held = other.claims.find(wanted.claim);
    return held != other.claims.end() && (held->second || wanted.is_alone);
  });
}

// Answers false, and claims nothing, where another lane works on something of the request.
bool Intake::ClaimFor(Lane& lane, queue::Request& request) {
  const bool is_only_lane = lanes_.size() == 1;
  const auto claims = is_only_lane ? std::vector<Claimed>() : ClaimsOf(request);
  for (const auto& wanted : claims) {
    if (!CanClaim(lane, wanted)) return false;
  }
  for (const auto& wanted : claims) lane.claims[wanted.claim] |= wanted.is_alone;
  if (request.kind == Kind::kDequeue) {
    auto& dequeue = static_cast<queue::DequeueRequest&>(request);
    dequeue.has_turn = is_only_lane || lane.claims[{Claim::What::kDequeues, dequeue.queue->id}];
  }
  return true;
}

void Intake::Finish(Lane& lane) {
  if (!std::exchange(lane.is_busy, false)) return;
  lane.claims.clear();
  // What had to wait for this may be there for another lane.
  if (lanes_.size() > 1 && !waiting_.empty()) WakeLane();
}

void Intake::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  WakeAll();
  not_full_.notify_all();
}

std::size_t Intake::size() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

}  // namespace pgqrs::engine
