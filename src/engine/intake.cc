#include "engine/intake.h"

#include <sched.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "queue/slice.h"
#include "workflow/request.h"

namespace pgqrs::engine {
namespace {

using Kind = queue::Request::Kind;

// A group ends where it has reached so many messages or bytes. It keeps a transaction to some ten
// milliseconds.
constexpr std::size_t kMaxGroupMessages = 8192;
constexpr std::size_t kMaxGroupBytes = std::size_t{4} << 20;

// How long requests wait for a lane that is busy while another one is idle. Most groups take less;
// and what takes longer is worth the work of two.
constexpr std::chrono::milliseconds kPatience(2);

// So much work is a good group by itself: what each transaction costs is little beside it.
constexpr std::size_t kWorthALane = 200;

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
    case Kind::kRun:
      return 1;
    case Kind::kJob:
      break;
  }
  return kMaxGroupMessages;
}

// What a database has to do for a request, in messages: each slice costs about as much as some.
std::size_t WorkOf(const queue::Request& request) {
  constexpr std::size_t kOfSlice = 8;
  const auto messages = MessagesOf(request);
  std::size_t slices = messages / queue::kBatchSize;
  if (request.kind == Kind::kDequeue) {
    const auto& dequeue = static_cast<const queue::DequeueRequest&>(request);
    slices = messages / static_cast<std::size_t>(dequeue.queue->messages_per_slice.load());
  } else if (request.kind == Kind::kSettle) {
    slices = 0;
    std::int64_t last = 0;
    for (const auto& target : static_cast<const queue::SettleRequest&>(request).targets) {
      const auto batch = queue::BatchOf(target.message_id);
      if (std::exchange(last, batch) != batch) ++slices;
    }
    if (slices == 1) slices = messages / queue::kBatchSize;  // Others ack the rest of it.
  }
  return messages + slices * kOfSlice;
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
  if (waiting_.empty()) waits_since_ = std::chrono::steady_clock::now();
  for (auto& request : requests) {
    NoteWaits(*request);
    waiting_.push_back(std::move(request));
  }
  CallLane();
}

// Sees to it that somebody looks after what waits: a lane that is awake, or watches while others
// are busy, or else one that is woken for it.
void Intake::CallLane() {
  bool some_are_busy = false;
  bool some_watch = false;
  for (const auto& lane : lanes_) {
    if (!lane.waits && !lane.is_busy) return;
    some_are_busy |= lane.is_busy;
    some_watch |= lane.watches;
  }
  if (!some_are_busy || !some_watch || work_ >= kWorthALane) WakeLane();
}

// The first one, so that as few as possible are in use. One that is lent has nothing to do for its
// thread but wait for its return.
void Intake::WakeLane() {
  for (auto& lane : lanes_) {
    if (lane.is_lent || !lane.waits) continue;
    lane.waits = lane.watches = false;
    lane.wake.notify_one();
    return;
  }
}

void Intake::WakeAll() {
  for (auto& lane : lanes_) lane.wake.notify_all();
}

bool Intake::OthersAreBusy(const Lane& lane) const {
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [&](const Lane& other) { return &other != &lane && other.is_busy; });
}

// Whether the lane is to take what waits, and not leave it to those that are busy.
bool Intake::MayStart(const Lane& lane) const {
  return !OthersAreBusy(lane) || closed_ || work_ >= kWorthALane ||
         std::chrono::steady_clock::now() >= waits_since_ + kPatience;
}

void Intake::Wait(Lane& lane, std::unique_lock<std::mutex>& lock) {
  lane.waits = true;
  // What waits and could be taken now waits for claims of others, who come for it.
  lane.watches = !waiting_.empty() && !lane.is_lent && !MayStart(lane);
  if (lane.watches) {
    lane.wake.wait_until(lock, waits_since_ + kPatience);
  } else {
    lane.wake.wait(lock);
  }
  lane.waits = lane.watches = false;
}

std::optional<std::size_t> Intake::Borrow(queue::Request* request) {
  const std::lock_guard lock(mutex_);
  if (HasWork() || closed_) return std::nullopt;
  const bool all_are_idle = std::all_of(
      lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.waits && !lane.is_lent; });
  if (!all_are_idle) return std::nullopt;
  auto& lane = lanes_.front();
  if (request != nullptr && !ClaimFor(lane, *request)) return std::nullopt;
  lane.watches = false;
  lane.is_lent = true;
  lane.is_busy = true;
  return 0;
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
      if (MayStart(lane)) work.group = TakeGroup(lane);
      work.poked = std::exchange(poked_, false);
      work.closed = closed_ && work.group.empty() && waiting_.empty();
      if (!work.group.empty() || work.poked || work.closed) break;
    }
    Wait(lane, lock);
  }
  // Others may have waited with it for the last that had to be done.
  if (work.closed) WakeAll();
  lane.last_group = work.group.size();
  lane.is_busy = true;
  if (!work.group.empty()) waits_since_ = std::chrono::steady_clock::now();
  if (!waiting_.empty()) CallLane();
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

void Intake::NoteWaits(queue::Request& request) {
  bytes_ += request.bytes;
  if (lanes_.size() > 1) request.work = WorkOf(request);
  work_ += request.work;
}

RequestPtr Intake::PopFront() {
  auto request = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= request->bytes;
  work_ -= request->work;
  return request;
}

// A job that is next, where everything before it is done. An empty group where it has to wait.
std::optional<std::vector<RequestPtr>> Intake::TakeJob(const Lane& lane) {
  if (waiting_.empty() || waiting_.front()->kind != Kind::kJob) return std::nullopt;
  std::vector<RequestPtr> group;
  if (!OthersAreBusy(lane)) {
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
    group.push_back(PopFront());
  }
  for (auto& request : passed) NoteWaits(*request);
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
  } else if (request.kind == Kind::kRun) {
    const auto& on_run = static_cast<const workflow::RunRequest&>(request);
    using OnRun = workflow::RunRequest::What;
    // A record leaves the message alone.
    const bool has_message = on_run.what != OnRun::kTrigger && on_run.what != OnRun::kRecord &&
                             on_run.what != OnRun::kReceive;
    if (has_message) {
      claims.push_back({{What::kBatch, queue::BatchOf(on_run.run.id)}, true});
    }
    if (on_run.what == OnRun::kChild) {
      add_registration(*static_cast<const workflow::ChildRequest&>(on_run).producer);
    } else if (on_run.what == OnRun::kTrigger) {
      add_registration(*static_cast<const workflow::TriggerRequest&>(on_run).producer);
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
  lane.is_busy = false;
  lane.claims.clear();
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
