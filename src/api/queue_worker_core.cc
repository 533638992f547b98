#include "api/queue_worker_core.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "api/arguments.h"
#include "api/backoff.h"
#include "api/moved_from.h"
#include "api/registration.h"
#include "queue/workers.h"
#include "util/storable.h"
#include "util/thread.h"

namespace pgqrs::internal {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kRetryFeedAfter = std::chrono::milliseconds(200);

WorkerOptions Checked(WorkerOptions options, const Config& config) {
  CheckCount("concurrency", options.concurrency, 1, 10'000);
  if (!options.prefetch) options.prefetch = options.concurrency;
  CheckCount("prefetch", *options.prefetch, 0, Queue::kMaxBatchSize);
  if (!options.lease) options.lease = config.default_lease;
  CheckLease(*options.lease);
  const auto most = options.retry.max_attempts.value_or(config.max_read_ct);
  if (options.retry.max_attempts) CheckCount("retry.max_attempts", most, 1, 1'000'000);
  options.retry.max_attempts = std::min(most, config.max_read_ct);
  CheckDuration("retry.base_delay", options.retry.base_delay, Duration::zero());
  CheckDuration("retry.max_delay", options.retry.max_delay, Duration::zero());
  return options;
}

// The worker whose handler runs on this thread.
thread_local const QueueWorkerCore* handling_worker = nullptr;

}  // namespace

QueueWorkerCore::QueueWorkerCore(std::shared_ptr<QueueCore> queue, Handler handler,
                                 WorkerOptions options)
    : queue_(std::move(queue)),
      handler_(std::move(handler)),
      options_(Checked(std::move(options), CheckNotMovedFrom(queue_, "a Queue")->store().config())),
      lease_(*options_.lease),
      capacity_(static_cast<std::size_t>(options_.concurrency) +
                static_cast<std::size_t>(*options_.prefetch)) {
  if (!handler_) throw ValidationError("handler: is empty");
}

QueueWorkerCore::Handler QueueWorkerCore::AsHandler(QueueWorker::Handler handler) {
  if (!handler) return nullptr;
  return [handler = std::move(handler)](Message& message) {
    handler(message);
    return Handling::kAck;
  };
}

void QueueWorkerCore::CheckNew() const {
  if (phase_ != Phase::kNew) throw Error("the worker has been run already");
}

void QueueWorkerCore::Run() {
  const auto self = shared_from_this();  // The worker may be destroyed as soon as this has ended.
  {
    const std::lock_guard lock(mutex_);
    CheckNew();
    phase_ = Phase::kRunning;
  }
  RunToEnd();
}

void QueueWorkerCore::RunToEnd() {
  std::exception_ptr error;
  try {
    Register();
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < options_.concurrency; ++i) {
      threads_.push_back(util::StartThread([this] { RunHandlers(); }));
    }
  } catch (...) {
    error = std::current_exception();
    StopTaking();
  }
  if (!error) {
    ScheduleExtension();
    Feed();
  }
  WaitForRest();
  for (auto& thread : threads_) thread.join();
  Retire();
  if (is_abandoned_) handler_ = nullptr;
  const std::lock_guard lock(mutex_);
  phase_ = Phase::kFinished;
  changed_.notify_all();
  if (error) std::rethrow_exception(error);
}

void QueueWorkerCore::Start() {
  const std::lock_guard lock(mutex_);
  CheckNew();
  runner_ = util::StartThread([self = shared_from_this()] {
    try {
      self->RunToEnd();
    } catch (const std::exception& error) {
      self->Log(LogLevel::kError, "a worker could not start", error.what());
    }
  });
  phase_ = Phase::kRunning;
}

void QueueWorkerCore::Register() {
  auto worker = NewWorker(*queue_, options_.name);
  store()
      .Write([worker, ref = queue_->ref()](driver::Connection& connection) {
        WriteWorker(connection, *ref, *worker);
        queue::SetWorkerStatus(connection, worker->id, WorkerStatus::kPolling);
      })
      .Get();
  store().AddWorker(worker, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->StopTaking();
  });
  const std::lock_guard lock(mutex_);
  worker_ = std::move(worker);
}

// ---- Handlers

void QueueWorkerCore::RunHandlers() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !line_.empty(); });
    if (stopping_) return;
    auto message = std::move(line_.front());
    line_.pop_front();
    ++running_;
    const bool is_last = line_.empty();
    lock.unlock();
    if (is_last) Feed();  // The feed before it may have left room because of those in line.
    Handle(message);
    lock.lock();
  }
}

void QueueWorkerCore::Handle(Message& message) {
  // The handler may do with its message what it likes, assign another one to it even.
  const Message taken = message;
  const auto target = MessageAccess::Target(taken);
  handling_worker = this;
  auto outcome = CallHandler(message, taken.read_count());
  handling_worker = nullptr;
  if (outcome.failed) {
    Log(LogLevel::kWarning, "a handler failed on message " + std::to_string(taken.id()),
        outcome.text);
  }
  bool is_held = false;
  {
    const std::lock_guard lock(mutex_);
    --running_;
    if (outcome.failed) ++counts_.failed;
    is_held = Forget(target) && !outcome.is_settled;
    if (is_held) ++unsettled_;
    changed_.notify_all();
  }
  if (is_held) {
    Settle(taken, std::move(outcome));
  } else {
    // Released by Stop, lost, or ended by the handler: there is no lease to settle.
    Feed();
  }
}

// A message that lost its lease may be here again under another, which stays.
bool QueueWorkerCore::Forget(const SettleRequest::Target& target) {
  const auto held = held_.find(target.message_id);
  if (held == held_.end() || held->second != target.lease_token) return false;
  held_.erase(held);
  return true;
}

QueueWorkerCore::Outcome QueueWorkerCore::CallHandler(Message& message, int read_count) {
  try {
    switch (handler_(message)) {
      case Handling::kAck:
        break;
      case Handling::kSettled:
        return {.is_settled = true};
      case Handling::kGiveBack:
        return {.action = SettleRequest::Action::kRelease, .unread = true};
    }
    return {};
  } catch (const RetryAfter& retry) {
    const auto delay = std::clamp(retry.delay(), Duration::zero(), kMaxDuration);
    return {.action = SettleRequest::Action::kRelease,
            .delay = delay,
            .text = util::Storable(retry.what()),
            .unread = true,
            .failed = true};
  } catch (const Discard& discard) {
    return {.action = SettleRequest::Action::kDeadLetter,
            .text = util::Storable(discard.what()),
            .failed = true};
  } catch (const std::exception& error) {
    return OutcomeOf(read_count, error);
  } catch (...) {
    return OutcomeOf(read_count, Error("the handler threw something that is no std::exception"));
  }
}

QueueWorkerCore::Outcome QueueWorkerCore::OutcomeOf(int read_count,
                                                    const std::exception& error) const {
  Outcome outcome = {.text = util::Storable(error.what()), .failed = true};
  if (read_count >= *options_.retry.max_attempts) {
    outcome.action = SettleRequest::Action::kDeadLetter;
  } else {
    outcome.action = SettleRequest::Action::kRelease;
    outcome.delay = ExponentialDelay(options_.retry.base_delay, options_.retry.max_delay,
                                     read_count, options_.retry.jitter);
  }
  return outcome;
}

// The settlement and the next feed go to the engine as one, and so into one transaction.
void QueueWorkerCore::Settle(const Message& message, Outcome outcome) {
  auto request = std::make_unique<Hooked<SettleRequest>>(
      [self = shared_from_this(), id = message.id()](SettleRequest& settled) {
        self->OnSettled(settled, id);
      });
  request->action = outcome.action;
  request->targets = {MessageAccess::Target(message)};
  request->delay = outcome.delay;
  request->text = std::move(outcome.text);
  request->unread = outcome.unread;
  std::vector<engine::RequestPtr> requests;
  requests.push_back(std::move(request));
  if (auto feed = MakeFeed()) requests.push_back(std::move(feed));
  store().engine().SubmitNow(std::move(requests));
}

void QueueWorkerCore::OnSettled(const SettleRequest& request, std::int64_t message_id) {
  const bool current = !request.error && request.answers.front();
  if (!current) {
    Log(request.error ? LogLevel::kWarning : LogLevel::kInfo,
        "message " + std::to_string(message_id) + " was not settled",
        request.error ? "the database reported an error; it comes back when its lease ends"
                      : "its lease was lost, or the handler has settled it");
  }
  const std::lock_guard lock(mutex_);
  if (current && request.action == SettleRequest::Action::kAck) ++counts_.acked;
  if (current && request.action == SettleRequest::Action::kDeadLetter) ++counts_.dead;
  --unsettled_;
  changed_.notify_all();
}

// ---- The feed

// The next dequeue, where there is room for enough messages to be worth one.
engine::RequestPtr QueueWorkerCore::MakeFeed() {
  const std::lock_guard lock(mutex_);
  if (stopping_ || is_feeding_) return nullptr;
  const auto there = line_.size() + running_;
  if (there >= capacity_) return nullptr;
  const auto room = capacity_ - there;
  if (!line_.empty() && room < (capacity_ + 1) / 2) return nullptr;
  is_feeding_ = true;
  auto feed = std::make_unique<Hooked<queue::DequeueRequest>>(
      [self = shared_from_this()](queue::DequeueRequest& request) { self->OnFed(request); });
  feed->queue = queue_->ref();
  feed->worker = worker_;
  feed->count = static_cast<int>(std::min<std::size_t>(room, Queue::kMaxBatchSize));
  feed->lease = lease_;
  feed->wait_until = SteadyClock::time_point::max();
  return feed;
}

void QueueWorkerCore::Feed() {
  if (auto feed = MakeFeed()) store().engine().SubmitNow(std::move(feed));
}

void QueueWorkerCore::OnFed(queue::DequeueRequest& request) {
  if (request.error) {
    try {
      std::rethrow_exception(request.error);
    } catch (const QueueNotFoundError& error) {
      Log(LogLevel::kError, "a worker stops, since its queue was deleted", error.what());
      StopTaking();
    } catch (const std::exception& error) {
      Log(LogLevel::kError, "a worker could not dequeue", error.what());
    }
  }
  auto messages = MessageAccess::MakeAll(queue_, request.taken);
  std::vector<SettleRequest::Target> too_late;
  {
    const std::lock_guard lock(mutex_);
    is_feeding_ = false;
    for (auto& message : messages) {
      if (stopping_) {
        too_late.push_back(MessageAccess::Target(message));
        continue;
      }
      held_[message.id()] = MessageAccess::Target(message).lease_token;
      line_.push_back(std::move(message));
    }
    if (!too_late.empty()) ++unsettled_;
    changed_.notify_all();
  }
  GiveBack(std::move(too_late), true);
  if (request.error) {
    FeedLater();
  } else {
    Feed();
  }
}

void QueueWorkerCore::FeedLater() {
  store().engine().timer().At(SteadyClock::now() + kRetryFeedAfter, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Feed();
  });
}

// The caller has counted it as unsettled, in the same moment in which it took the messages away.
void QueueWorkerCore::GiveBack(std::vector<SettleRequest::Target> targets, bool unread) {
  if (targets.empty()) return;
  auto request =
      std::make_unique<Hooked<SettleRequest>>([self = shared_from_this()](SettleRequest&) {
        const std::lock_guard lock(self->mutex_);
        --self->unsettled_;
        self->changed_.notify_all();
      });
  request->action = SettleRequest::Action::kRelease;
  request->targets = std::move(targets);
  request->unread = unread;
  store().engine().SubmitNow(std::move(request));
}

// ---- Leases

void QueueWorkerCore::ScheduleExtension() {
  const auto interval = std::max<Duration>(lease_ / 3, std::chrono::milliseconds(1));
  store().engine().timer().At(SteadyClock::now() + interval, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->ExtendLeases();
  });
}

void QueueWorkerCore::ExtendLeases() {
  std::vector<SettleRequest::Target> targets;
  {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::kFinished) return;
    // Where the database is locked for long one extension waits at a time.
    if (!is_extending_) {
      for (const auto& [id, token] : held_) {
        targets.push_back({.message_id = id, .lease_token = token, .queue_id = queue_id()});
      }
    }
    if (!targets.empty()) {
      ++unsettled_;
      is_extending_ = true;
    }
  }
  if (!targets.empty()) {
    auto request = std::make_unique<Hooked<SettleRequest>>(
        [self = shared_from_this()](SettleRequest& extended) {
          const std::lock_guard lock(self->mutex_);
          for (std::size_t i = 0; i < extended.answers.size(); ++i) {
            if (!extended.error && !extended.answers[i]) {
              self->Forget(extended.targets[i]);
            }
          }
          self->is_extending_ = false;
          --self->unsettled_;
          self->changed_.notify_all();
        });
    request->action = SettleRequest::Action::kExtend;
    request->targets = std::move(targets);
    request->delay = lease_;
    store().engine().SubmitNow(std::move(request));
  }
  ScheduleExtension();
}

// ---- The end

void QueueWorkerCore::RequestStop() {
  store().CheckUsable();
  StopTaking();
}

void QueueWorkerCore::StopTaking() {
  std::vector<SettleRequest::Target> unseen;
  std::shared_ptr<queue::Worker> worker;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    for (const auto& message : line_) {
      Forget(MessageAccess::Target(message));
      unseen.push_back(MessageAccess::Target(message));
    }
    line_.clear();
    if (!unseen.empty()) ++unsettled_;
    worker = worker_;
    changed_.notify_all();
  }
  GiveBack(std::move(unseen), true);
  if (worker) store().engine().CancelWaits(worker.get());
}

bool QueueWorkerCore::IsAtRest() const {
  return stopping_ && running_ == 0 && unsettled_ == 0 && !is_feeding_;
}

template <typename Condition>
void QueueWorkerCore::WaitUntil(std::unique_lock<std::mutex>& lock, Condition condition) {
  while (!condition()) {
    const bool cancel = stopping_ && is_feeding_ && worker_;
    if (!cancel) {
      changed_.wait(lock);
      continue;
    }
    // The feed may have begun to wait for a message just after StopTaking had looked.
    lock.unlock();
    store().engine().CancelWaits(worker_.get());
    lock.lock();
    changed_.wait_for(lock, std::chrono::milliseconds(10));
  }
}

void QueueWorkerCore::WaitForRest() {
  std::unique_lock lock(mutex_);
  WaitUntil(lock, [this] { return IsAtRest(); });
}

bool QueueWorkerCore::Stop(Duration deadline) {
  CheckDuration("deadline", deadline, Duration::zero());
  if (IsHandlingHere()) {
    throw Error(
        "Stop was called by a handler of the worker, for which it would wait; use RequestStop");
  }
  RequestStop();
  std::vector<SettleRequest::Target> abandoned;
  {
    std::unique_lock lock(mutex_);
    if (phase_ == Phase::kNew) return true;
    const bool finished =
        changed_.wait_for(lock, deadline, [this] { return phase_ == Phase::kFinished; });
    if (finished) return true;
    // A feed that looks once more would take what is released.
    WaitUntil(lock, [this] { return !is_feeding_; });
    for (const auto& [id, token] : held_) {
      abandoned.push_back({.message_id = id, .lease_token = token, .queue_id = queue_id()});
    }
    held_.clear();
    if (!abandoned.empty()) ++unsettled_;
  }
  GiveBack(std::move(abandoned), false);
  // Whoever asks for a message next is to find them, whichever lane it gets.
  std::unique_lock lock(mutex_);
  WaitUntil(lock, [this] { return unsettled_ == 0; });
  return false;
}

bool QueueWorkerCore::IsHandlingHere() const { return handling_worker == this; }

// The threads own this object, and end once the handlers that run have returned.
void QueueWorkerCore::Abandon() {
  {
    const std::lock_guard lock(mutex_);
    is_abandoned_ = true;
    if (runner_.joinable()) runner_.detach();
  }
  StopTaking();
}

void QueueWorkerCore::Shutdown() noexcept {
  try {
    store().CheckUsable();
    if (IsHandlingHere()) {
      Abandon();
      return;
    }
    Stop(Duration::zero());
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return phase_ != Phase::kRunning; });
  } catch (const std::exception&) {
    // In a forked child there is nothing to stop.
    if (runner_.joinable()) runner_.detach();
    return;
  }
  if (runner_.joinable()) runner_.join();
  // The last owner of this object may be a request on the lane's thread, where what the handler
  // holds (a store, even) must not be destroyed.
  handler_ = nullptr;
}

// Goes through the states in the order that is allowed. The row may be gone, where somebody took
// the worker for a stale one and purged it.
void QueueWorkerCore::Retire() {
  if (!worker_) return;
  try {
    store()
        .Write([id = worker_->id.load()](driver::Connection& connection) {
          queue::SetWorkerStatus(connection, id, WorkerStatus::kInterrupted);
          queue::SetWorkerStatus(connection, id, WorkerStatus::kSuspended);
        })
        .Get();
  } catch (const std::exception& error) {
    Log(LogLevel::kWarning, "a worker could not be marked as stopping", error.what());
  }
  try {
    store().Retire(worker_).Get();
  } catch (const std::exception& error) {
    Log(LogLevel::kWarning, "a worker could not be marked as stopped", error.what());
  }
}

std::int64_t QueueWorkerCore::worker_id() const {
  const std::lock_guard lock(mutex_);
  return worker_ ? worker_->id.load() : 0;
}

QueueWorker::Counts QueueWorkerCore::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void QueueWorkerCore::Log(LogLevel level, std::string_view message, std::string_view why) const {
  const std::array fields = {LogField{"queue", queue_->ref()->name},
                             LogField{"why", std::string(why)}};
  store().engine().Log(level, message, fields);
}

}  // namespace pgqrs::internal
