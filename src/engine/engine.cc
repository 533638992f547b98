#include "engine/engine.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>

namespace pgqrs::engine {
namespace {

using queue::DequeueRequest;
using queue::JobRequest;
using queue::Request;
using SteadyClock = std::chrono::steady_clock;

std::uint64_t MicrosSince(SteadyClock::time_point start) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - start).count());
}

std::vector<RequestPtr> Single(RequestPtr request) {
  std::vector<RequestPtr> requests;
  requests.push_back(std::move(request));
  return requests;
}

std::size_t ReaderThreads(const Config& config) {
  // Beside the reader threads there are the lane's connection and the listener's.
  return static_cast<std::size_t>(std::max(1, config.max_connections - 2));
}

bool IsWorthRunningAlone(const driver::Failure& failure) {
  return failure.fault() == driver::Fault::kStatement;
}

}  // namespace

Engine::Engine(const Config& config, std::unique_ptr<driver::Database> database,
               std::unique_ptr<driver::Connection> writer)
    : config_(config),
      database_(std::move(database)),
      writer_(std::move(writer)),
      intake_(config.max_pending_requests, config.max_pending_bytes),
      readers_(*database_, ReaderThreads(config)) {
  session_.max_read_ct = config.max_read_ct;
  lane_ = std::thread([this] { RunLane(); });
}

void Engine::Submit(std::vector<RequestPtr> requests) {
  const auto n = requests.size();
  for (auto& request : requests) request->submitted_at = SteadyClock::now();
  pending_ += n;
  if (intake_.Push(requests)) return;
  pending_ -= n;
  throw Error("the store is closed");
}

void Engine::Submit(RequestPtr request) { Submit(Single(std::move(request))); }

void Engine::SubmitNow(std::vector<RequestPtr> requests) {
  for (auto& request : requests) request->submitted_at = SteadyClock::now();
  pending_ += requests.size();
  if (intake_.PushNow(requests)) return;
  for (auto& request : requests) {
    request->error = std::make_exception_ptr(Error("the store is closed"));
  }
  Finish(std::move(requests));
}

void Engine::SubmitNow(RequestPtr request) { SubmitNow(Single(std::move(request))); }

void Engine::Read(Readers::Task task) {
  const auto translated = [this, task = std::move(task)](driver::Connection* connection,
                                                         const std::exception_ptr& error) {
    task(connection, error ? PublicError(error) : nullptr);
  };
  if (database_->can_read_beside()) {
    if (!readers_.Submit(translated)) throw Error("the store is closed");
    return;
  }
  struct ReadJob final : JobRequest {
    void Complete() override {
      if (!has_run) task(nullptr, error);
    }
    Readers::Task task;
    bool has_run = false;
  };
  auto job = std::make_unique<ReadJob>();
  job->task = translated;
  job->step = [job = job.get()](driver::Connection& connection) {
    job->has_run = true;
    job->task(&connection, nullptr);
    return false;
  };
  Submit(std::move(job));
}

void Engine::RunLane() {
  for (auto group = intake_.PopGroup(); !group.empty(); group = intake_.PopGroup()) {
    if (group.front()->kind == Request::Kind::kJob) {
      RunJob(std::move(group.front()));
    } else {
      RunGroup(std::move(group));
    }
  }
}

void Engine::RunGroup(std::vector<RequestPtr> group) {
  changes_before_group_ = outside_changes_;
  std::vector<Request*> requests;
  requests.reserve(group.size());
  for (const auto& request : group) requests.push_back(request.get());
  const auto start = SteadyClock::now();
  TryGroup(requests);
  stats_.Update([&](EngineMetrics& metrics) {
    ++metrics.groups;
    Stats::Add(metrics.group_size, group.size());
    Stats::Add(metrics.group_latency, MicrosSince(start));
  });
  Finish(std::move(group));
}

// Runs the requests as one transaction. Where that fails by something in the data they are run one
// by one, so that only the guilty fails.
void Engine::TryGroup(std::span<Request* const> requests) {
  try {
    RunTransaction(requests);
  } catch (const driver::Failure& failure) {
    if (requests.size() > 1 && IsWorthRunningAlone(failure)) {
      stats_.Update([](EngineMetrics& metrics) { ++metrics.retried_groups; });
      for (std::size_t i = 0; i < requests.size(); ++i) TryGroup(requests.subspan(i, 1));
      // A dequeue among them that is about to wait may have looked before an enqueue behind it.
      ++outside_changes_;
      return;
    }
    const auto error = PublicError(std::current_exception());
    for (auto* request : requests) request->error = error;
  } catch (...) {
    for (auto* request : requests) request->error = std::current_exception();
  }
}

void Engine::RunTransaction(std::span<Request* const> requests) {
  queue::Group group(*writer_, session_, requests);
  writer_->Begin();
  try {
    group.Run();
    writer_->Commit();
  } catch (const driver::Failure& failure) {
    writer_->Rollback();
    if (failure.fault() == driver::Fault::kUnknown) {
      group.MayHaveCommitted();
    } else {
      group.RolledBack();
    }
    throw;
  } catch (...) {
    writer_->Rollback();
    group.RolledBack();
    throw;
  }
  group.Committed();
  for (const auto& entry : group.became_visible()) {
    WakeQueueAt(entry.queue_id, entry.visible_at);
  }
}

void Engine::RunJob(RequestPtr request) {
  auto& job = static_cast<JobRequest&>(*request);
  bool again = false;
  try {
    writer_->Begin();
    try {
      again = job.step(*writer_);
      writer_->Commit();
    } catch (...) {
      writer_->Rollback();
      throw;
    }
  } catch (...) {
    again = false;
    job.error = PublicError(std::current_exception());
  }
  if (again) {
    auto requests = Single(std::move(request));
    if (intake_.PushNow(requests)) return;
    request = std::move(requests.front());
    request->error = std::make_exception_ptr(
        Error("the store was closed before the work was done; what is left can be done again"));
  }
  Finish(Single(std::move(request)));
  WakeAll();  // Jobs may release messages; they are rare enough not to ask which.
}

// Answers the requests, except those that wait for a message.
void Engine::Finish(std::vector<RequestPtr> group) {
  stats_.Update([&](EngineMetrics& metrics) {
    for (const auto& request : group) {
      ++metrics.requests;
      if (request->error) ++metrics.failed_requests;
      Stats::Add(metrics.request_latency, MicrosSince(request->submitted_at));
    }
  });
  for (auto& request : group) {
    --pending_;
    if (request->kind == Request::Kind::kDequeue && !request->error) {
      const auto& dequeue = static_cast<const DequeueRequest&>(*request);
      const bool waits = dequeue.taken.empty() && dequeue.wait_until && !closed_ &&
                         *dequeue.wait_until > SteadyClock::now();
      if (waits) {
        Park(std::move(request));
        continue;
      }
    }
    request->Complete();
    request.reset();
  }
}

void Engine::Park(RequestPtr request) {
  const auto& dequeue = static_cast<const DequeueRequest&>(*request);
  const auto queue_id = dequeue.queue->id;
  const auto next_visible = dequeue.next_visible;
  const auto wait_until = *dequeue.wait_until;
  const auto ticket = waiters_.Park(std::move(request));
  UpdateListener();
  KeepPolling();
  if (wait_until != SteadyClock::time_point::max()) {
    timer_.At(wait_until, [this, ticket] {
      for (auto& expired : waiters_.TakeTicket(ticket)) expired->Complete();
      UpdateListener();
    });
  }
  if (next_visible) WakeQueueAt(queue_id, *next_visible);
  // A change that came between the look and the parking has not woken this request.
  if (outside_changes_ != changes_before_group_) WakeQueue(queue_id);
  if (closed_) {
    for (auto& late : waiters_.TakeAll()) late->Complete();
  }
}

void Engine::WakeQueue(std::int64_t queue_id) {
  auto woken = waiters_.TakeQueue(queue_id);
  if (!woken.empty()) SubmitNow(std::move(woken));
}

void Engine::WakeQueueAt(std::int64_t queue_id, std::int64_t visible_at) {
  if (waiters_.size() == 0) return;
  // A visible time may lie further ahead than the timer can count.
  const auto delay =
      std::min(Duration(visible_at) - writer_->Now().time_since_epoch(), kMaxDuration);
  if (delay <= Duration::zero()) {
    WakeQueue(queue_id);
    return;
  }
  const auto time = SteadyClock::now() + delay;
  const std::lock_guard lock(wake_mutex_);
  auto& pending = wake_timers_[queue_id];
  const bool is_set = pending.second != 0 && pending.first > SteadyClock::now();
  if (is_set && pending.first <= time) return;
  if (is_set) timer_.Cancel(pending);
  pending = timer_.At(time, [this, queue_id] { WakeQueue(queue_id); });
}

void Engine::WakeAll() {
  ++outside_changes_;
  auto woken = waiters_.TakeAll();
  if (!woken.empty()) SubmitNow(std::move(woken));
}

// Looks again from time to time while somebody waits, in case a wake-up was missed.
void Engine::KeepPolling() {
  if (polling_.exchange(true)) return;
  timer_.At(SteadyClock::now() + config_.fallback_poll_interval, [this] {
    polling_ = false;
    if (waiters_.size() > 0) WakeAll();
  });
}

void Engine::UpdateListener() {
  const std::lock_guard lock(listener_mutex_);
  if (closed_) return;
  const bool needed = waiters_.size() > 0;
  if (!listener_ && needed) listener_ = database_->Listen([this] { WakeAll(); });
  if (listener_) listener_->SetArmed(needed);
}

void Engine::CancelWaits(const queue::Worker* worker) {
  for (auto& request : waiters_.TakeWorker(worker)) request->Complete();
  UpdateListener();
}

void Engine::Close() {
  const std::lock_guard lock(close_mutex_);
  if (closed_.exchange(true)) return;
  {
    std::unique_ptr<driver::ChangeListener> listener;
    {
      const std::lock_guard listener_lock(listener_mutex_);
      listener = std::move(listener_);
    }
  }
  timer_.Stop();
  for (auto& request : waiters_.TakeAll()) request->Complete();
  intake_.Close();
  lane_.join();
  readers_.Close();
  for (auto& request : waiters_.TakeAll()) request->Complete();
  writer_.reset();
  callbacks_.Close();
}

EngineMetrics Engine::Metrics() const {
  auto metrics = stats_.Snapshot();
  metrics.pending_requests = pending_;
  metrics.waiting_consumers = waiters_.size();
  return metrics;
}

void Engine::Log(LogLevel level, std::string_view message, std::span<const LogField> fields) const {
  if (config_.log) config_.log({.level = level, .message = message, .fields = fields});
}

// Errors of the driver become errors of the public interface here and nowhere else.
std::exception_ptr Engine::PublicError(const std::exception_ptr& error) const {
  try {
    std::rethrow_exception(error);
  } catch (const driver::Failure& failure) {
    const std::string what = failure.what();
    const std::array fields = {LogField{"error", what}};
    Log(LogLevel::kError, "the database reported an error", fields);
    switch (failure.fault()) {
      case driver::Fault::kBusy:
        return std::make_exception_ptr(
            PgqrsConnectionError("the database did not become free in time: " + what));
      case driver::Fault::kUnknown:
        return std::make_exception_ptr(InternalError(
            what +
            "; the outcome is unknown: the change is there or not there as a whole, which "
            "FindMessage or pgqrs_messages tells once the database can be opened"));
      case driver::Fault::kStorage:
      case driver::Fault::kStatement:
        break;
    }
    return std::make_exception_ptr(InternalError(what));
  } catch (...) {
    return error;
  }
}

}  // namespace pgqrs::engine
