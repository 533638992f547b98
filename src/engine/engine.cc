#include "engine/engine.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <string>
#include <utility>

#include "engine/public_error.h"
#include "util/thread.h"

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

thread_local bool is_completing = false;

// Marks the thread as one that completes requests.
class Completing {
 public:
  Completing() { is_completing = true; }
  Completing(const Completing&) = delete;
  Completing& operator=(const Completing&) = delete;
  ~Completing() { is_completing = was_completing_; }

 private:
  const bool was_completing_ = is_completing;
};

std::vector<RequestPtr> Single(RequestPtr request) {
  std::vector<RequestPtr> requests;
  requests.push_back(std::move(request));
  return requests;
}

// Moves the requests that match out of `group`.
template <typename Matches>
std::vector<RequestPtr> TakeOut(std::vector<RequestPtr>& group, Matches matches) {
  const auto first = std::stable_partition(group.begin(), group.end(),
                                           [&](const auto& request) { return !matches(*request); });
  std::vector<RequestPtr> taken(std::make_move_iterator(first),
                                std::make_move_iterator(group.end()));
  group.erase(first, group.end());
  return taken;
}

// Of all connections one is the listener's, and one at least reads.
std::size_t LaneCount(const Config& config, const driver::Database& database) {
  constexpr int kMostLanes = 4;
  if (!database.has_many_writers()) return 1;
  return static_cast<std::size_t>(std::clamp(config.max_connections - 2, 1, kMostLanes));
}

// For transactions of callers. Where there are none the lane runs them.
std::size_t TransactionConnections(const Config& config, const driver::Database& database) {
  if (!database.has_many_writers()) return 0;
  const auto lanes = static_cast<int>(LaneCount(config, database));
  return static_cast<std::size_t>(std::max(0, (config.max_connections - lanes - 1) / 2));
}

std::size_t ReaderThreads(const Config& config, const driver::Database& database) {
  const auto others =
      static_cast<int>(LaneCount(config, database) + TransactionConnections(config, database));
  return static_cast<std::size_t>(std::max(1, config.max_connections - others - 1));
}

bool GoesOn(const Request& request) {
  return request.kind == Request::Kind::kDequeue &&
         static_cast<const DequeueRequest&>(request).goes_on;
}

// A dequeue that has messages from an earlier group is answered with these, so that nobody holds
// messages without knowing.
void Fail(Request& request, const std::exception_ptr& error) {
  if (request.kind == Request::Kind::kDequeue) {
    auto& dequeue = static_cast<DequeueRequest&>(request);
    dequeue.taken.resize(dequeue.kept);
    dequeue.goes_on = false;
    if (dequeue.kept > 0) return;
  }
  request.error = error;
}

void Fail(std::span<Request* const> requests, const std::exception_ptr& error) {
  for (auto* request : requests) Fail(*request, error);
}

}  // namespace

Engine::Engine(const Config& config, std::unique_ptr<driver::Database> database,
               std::unique_ptr<driver::Connection> writer)
    : config_(config),
      database_(std::move(database)),
      intake_(config.max_pending_requests, config.max_pending_bytes, LaneCount(config, *database_)),
      readers_(*database_, ReaderThreads(config, *database_), config.max_pending_requests,
               config.connection_timeout),
      transactions_(*database_, TransactionConnections(config, *database_)) {
  queue::Session session;
  session.max_read_ct = config.max_read_ct;
  shared_ = session.shared;
  for (std::size_t i = 0; i < LaneCount(config, *database_); ++i) {
    lanes_.push_back(std::make_unique<Lane>(*database_, std::move(writer), session));
  }
  try {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      lanes_[i]->thread = util::StartThread([this, i] { RunLane(i); });
    }
  } catch (...) {
    Close();
    throw;
  }
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

void Engine::Run(RequestPtr request) {
  const auto lane = intake_.Borrow(request.get());
  if (!lane) {
    Submit(std::move(request));
    return;
  }
  request->submitted_at = SteadyClock::now();
  ++pending_;
  // It goes back whatever happens.
  const auto give_back = [lane](Intake* intake) { intake->GiveBack(*lane); };
  const std::unique_ptr<Intake, decltype(give_back)> lent(&intake_, give_back);
  RunGroup(*lanes_[*lane], Single(std::move(request)));
}

void Engine::SubmitNow(std::vector<RequestPtr> requests) {
  for (auto& request : requests) {
    // One that was woken has been here before.
    if (request->submitted_at == SteadyClock::time_point())
      request->submitted_at = SteadyClock::now();
  }
  pending_ += requests.size();
  if (intake_.PushNow(requests)) return;
  for (auto& request : requests) {
    Fail(*request, std::make_exception_ptr(Error("the store is closed")));
  }
  pending_ -= requests.size();
  Answer(std::move(requests));
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
  job->may_free_messages = false;
  job->step = [job = job.get()](driver::Connection& connection) {
    job->task(&connection, nullptr);
    job->has_run = true;
    return false;
  };
  Submit(std::move(job));
}

bool Engine::IsCompleting() { return is_completing; }

void Engine::RunLane(std::size_t index) {
  auto& lane = *lanes_[index];
  for (auto work = intake_.Next(index); !work.closed; work = intake_.Next(index)) {
    if (work.poked) WakeForOthers(lane);
    if (work.group.empty()) continue;
    if (work.group.front()->kind == Request::Kind::kJob) {
      RunJob(lane, std::move(work.group.front()));
    } else {
      RunGroup(lane, std::move(work.group));
    }
  }
}

// Where another process has committed something, asks for each queue that somebody waits for when
// its next message is visible. These are reads, which hold up nobody. Where they cannot be made, it
// may have been visible for ever.
void Engine::WakeForOthers(Lane& lane) {
  constexpr std::int64_t kForEver = 0;
  auto* connection = lane.connection();
  if (connection != nullptr && !connection->SeesForeignCommits()) return;
  const auto queues = waiters_.Queues();
  try {
    for (const auto queue_id : queues) {
      const auto visible_at =
          connection != nullptr ? queue::NextVisible(*connection, queue_id) : kForEver;
      if (visible_at) HasMessageFrom(queue_id, *visible_at);
    }
  } catch (...) {
    for (const auto queue_id : queues) HasMessageFrom(queue_id, kForEver);
  }
}

void Engine::RunGroup(Lane& lane, std::vector<RequestPtr> group) {
  std::vector<Request*> requests;
  requests.reserve(group.size());
  for (const auto& request : group) requests.push_back(request.get());
  const auto start = SteadyClock::now();
  lane.must_look_again = false;
  TryGroup(lane, requests);
  stats_.Update([&](EngineMetrics& metrics) {
    ++metrics.groups;
    Stats::Add(metrics.group_size, group.size());
    Stats::Add(metrics.group_latency, MicrosSince(start));
  });
  Finish(lane, std::move(group));
}

std::chrono::steady_clock::time_point Engine::ConnectionDeadline() const {
  return SteadyClock::now() + config_.connection_timeout;
}

// Runs the requests as one transaction. Where one of them makes it fail they are run one by one, so
// that only the guilty fails. Where the connection is lost, or another transaction stands in the
// way, they are run again; where nobody knows whether the commit happened, those that can be
// repeated. Where the database fails all of them fail.
void Engine::TryGroup(Lane& lane, std::span<Request* const> requests) {
  const auto deadline = ConnectionDeadline();
  std::vector<Request*> repeatable;
  std::optional<queue::Numbers> earlier;  // From when on it may be done already.
  for (int attempt = 1;; ++attempt) {
    auto error = TryOnce(lane, requests, deadline, earlier);
    if (!error) return;
    const auto fault = FaultOf(error);
    if (fault == driver::Fault::kUnknown && earlier) {
      repeatable = FailUnrepeatable(requests, error);
      requests = repeatable;
    }
    const bool is_passing = MayPass(error) || (fault == driver::Fault::kUnknown && earlier);
    if (is_passing && BackOff(attempt, deadline, closed_)) continue;
    if (!earlier && requests.size() > 1 && (!fault || fault == driver::Fault::kStatement)) {
      RunOneByOne(lane, requests, error);
    } else {
      Fail(requests, PublicError(earlier ? AsUnknown(error) : error));
    }
    return;
  }
}

// Gives the others.
std::vector<Request*> Engine::FailUnrepeatable(std::span<Request* const> requests,
                                               const std::exception_ptr& error) const {
  std::vector<Request*> repeatable;
  std::vector<Request*> others;
  std::partition_copy(requests.begin(), requests.end(), std::back_inserter(repeatable),
                      std::back_inserter(others),
                      [](const auto* request) { return queue::Group::CanBeRepeated(*request); });
  if (!others.empty()) Fail(others, PublicError(error));
  return repeatable;
}

// Gives the error of a transaction that did not happen; or of which nobody knows, with the numbers
// to repeat it, where that is possible.
std::exception_ptr Engine::TryOnce(Lane& lane, std::span<Request* const> requests,
                                   SteadyClock::time_point deadline,
                                   std::optional<queue::Numbers>& earlier) {
  if (requests.empty()) return nullptr;
  std::optional<queue::Group> group;
  bool is_committing = false;
  try {
    auto& connection = lane.Connect(deadline, closed_);
    group.emplace(connection, lane.session, requests, earlier ? &*earlier : nullptr);
    group->Prepare();
    connection.Begin();
    group->Run();
    is_committing = true;
    connection.Commit();
  } catch (...) {
    auto error = std::current_exception();
    const auto fault = FaultOf(error);
    Rollback(lane, error);
    if (fault == driver::Fault::kUnknown || (is_committing && !fault)) {
      if (auto numbers = group->MayHaveCommitted()) earlier = std::move(numbers);
      return AsUnknown(error);
    }
    if (group) group->RolledBack();
    return error;
  }
  AfterCommit(*group);
  const auto left_over = group->TakeLeftOver();
  if (!left_over.empty()) TryGroup(lane, left_over);
  return nullptr;
}

void Engine::Rollback(Lane& lane, const std::exception_ptr& error) {
  auto* connection = lane.connection();
  if (connection == nullptr) return;
  connection->Rollback();
  if (!connection->is_lost()) return;
  lane.Disconnect();
  LogError(LogLevel::kWarning, "the connection to the database was lost", error);
}

void Engine::RunOneByOne(Lane& lane, std::span<Request* const> requests,
                         const std::exception_ptr& why) {
  stats_.Update([](EngineMetrics& metrics) { ++metrics.retried_groups; });
  LogError(LogLevel::kWarning, "a group failed; its requests are run one by one", why);
  for (std::size_t i = 0; i < requests.size(); ++i) TryGroup(lane, requests.subspan(i, 1));
  // A dequeue among them that is about to wait may have looked before an enqueue behind it.
  lane.must_look_again = true;
}

// It is done. Whatever fails from here on must not look as if it were not.
void Engine::AfterCommit(queue::Group& group) {
  try {
    group.Committed();
    for (const auto& entry : group.became_visible()) {
      HasMessageFrom(entry.queue_id, entry.visible_at);
      database_->Announce({.queue_id = entry.queue_id, .visible_at = entry.visible_at});
    }
    if (!group.ended_runs().empty()) TellOfEnds(group.ended_runs());
  } catch (...) {
    LogError(LogLevel::kError, "waiting consumers could not be woken", std::current_exception());
  }
}

// Runs one step as one transaction. Answers whether another one is to follow.
bool Engine::TryStep(Lane& lane, JobRequest& job) {
  const auto deadline = ConnectionDeadline();
  for (int attempt = 1;; ++attempt) {
    bool is_committing = false;
    try {
      auto& connection = lane.Connect(deadline, closed_);
      connection.Begin();
      const bool again = job.step(connection);
      is_committing = true;
      connection.Commit();
      return again;
    } catch (...) {
      const auto error = std::current_exception();
      Rollback(lane, error);
      if (MayPass(error) && BackOff(attempt, deadline, closed_)) continue;
      job.error = PublicError(is_committing && !FaultOf(error) ? AsUnknown(error) : error);
      return false;
    }
  }
}

void Engine::RunJob(Lane& lane, RequestPtr request) {
  auto& job = static_cast<JobRequest&>(*request);
  if (TryStep(lane, job)) {
    auto requests = Single(std::move(request));
    if (intake_.PushNow(requests)) return;
    request = std::move(requests.front());
    request->error = std::make_exception_ptr(
        Error("the store was closed before the work was done; what is left can be done again"));
  }
  const bool may_free_messages = job.may_free_messages;
  Finish(lane, Single(std::move(request)));
  // Such jobs are rare enough not to ask which messages.
  if (!may_free_messages) return;
  database_->Announce({});
  WakeAll();
  TellOfEnds({});
}

void Engine::OnRunsEnded(std::function<void(std::span<const std::int64_t>)> callback) {
  on_runs_ended_ = std::move(callback);
}

void Engine::TellOfEnds(std::span<const std::int64_t> run_ids) {
  if (on_runs_ended_) on_runs_ended_(run_ids);
}

// Answers the requests, except those that are not done yet and those that wait for a message.
void Engine::Finish(const Lane& lane, std::vector<RequestPtr> group) {
  pending_ -= group.size();
  auto unfinished =
      TakeOut(group, [](const auto& request) { return !request.error && GoesOn(request); });
  auto waiting = TakeOut(group, [this](const auto& request) { return MustWait(request); });
  Answer(std::move(group));
  if (!unfinished.empty()) SubmitNow(std::move(unfinished));
  for (auto& request : waiting) Park(lane, std::move(request));
}

bool Engine::MustWait(const Request& request) const {
  if (request.kind != Request::Kind::kDequeue || request.error) return false;
  const auto& dequeue = static_cast<const DequeueRequest&>(request);
  return dequeue.taken.empty() && dequeue.wait_until && !closed_ && !dequeue.worker->is_retired &&
         *dequeue.wait_until > SteadyClock::now();
}

void Engine::Answer(std::vector<RequestPtr> requests) {
  stats_.Update([&](EngineMetrics& metrics) {
    for (const auto& request : requests) {
      ++metrics.requests;
      if (request->error) ++metrics.failed_requests;
      Stats::Add(metrics.request_latency, MicrosSince(request->submitted_at));
    }
  });
  const Completing completing;
  for (auto& request : requests) {
    request->Complete();
    request.reset();
  }
}

void Engine::Park(const Lane& lane, RequestPtr request) {
  const auto& dequeue = static_cast<const DequeueRequest&>(*request);
  const auto queue_id = dequeue.queue->id;
  const auto next_visible = dequeue.next_visible;
  const auto wait_until = *dequeue.wait_until;
  const auto worker = dequeue.worker;
  const auto looked_at = dequeue.looked_at;
  waiters_.Park(std::move(request));
  UpdateListener();
  KeepPolling();
  ExpireAt(wait_until);
  if (next_visible) WakeQueueAt(queue_id, *next_visible);
  // Another lane may have committed something after this one has looked.
  if (lane.must_look_again || waiters_.HasChangedSince(queue_id, looked_at)) WakeQueue(queue_id);
  if (closed_) {
    Answer(waiters_.TakeAll());
  } else if (worker->is_retired) {
    CancelWaits(worker.get());
  }
}

// One timer for the first of those that wait no longer; it may find that this one was woken before.
void Engine::ExpireAt(SteadyClock::time_point time) {
  if (time == SteadyClock::time_point::max()) return;
  const std::lock_guard lock(wake_mutex_);
  if (expiry_.second != 0) {
    if (expiry_.first <= time) return;
    timer_.Cancel(expiry_);
  }
  expiry_ = timer_.At(time, [this] { Expire(); });
}

void Engine::Expire() {
  {
    const std::lock_guard lock(wake_mutex_);
    expiry_ = {};
  }
  Answer(waiters_.TakeExpired(SteadyClock::now()));
  UpdateListener();
  if (const auto next = waiters_.FirstDeadline()) ExpireAt(*next);
}

void Engine::WakeQueue(std::int64_t queue_id) {
  auto woken = waiters_.TakeQueue(queue_id);
  if (!woken.empty()) SubmitNow(std::move(woken));
}

// The clock may be the user's. Where it throws, what was committed is answered all the same.
std::optional<TimePoint> Engine::TryNow() {
  try {
    return database_->ApproximateNow();
  } catch (...) {
    LogError(LogLevel::kError, "the clock threw an exception", std::current_exception());
    return std::nullopt;
  }
}

void Engine::WakeQueueAt(std::int64_t queue_id, std::int64_t visible_at) {
  if (waiters_.size() == 0) return;
  const auto now = TryNow();
  if (!now) return;  // The fallback poll finds it.
  // A visible time may lie further ahead than the timer can count.
  const auto delay = std::min(Duration(visible_at) - now->time_since_epoch(), kMaxDuration);
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

// A commit has made a message visible from this time on.
void Engine::HasMessageFrom(std::int64_t queue_id, std::int64_t visible_at) {
  shared_->hints.Heard(queue_id, visible_at);
  waiters_.NoteChange(queue_id);
  WakeQueueAt(queue_id, visible_at);
}

void Engine::WakeAll() {
  waiters_.NoteChange();
  auto woken = waiters_.TakeAll();
  if (!woken.empty()) SubmitNow(std::move(woken));
}

// Looks again from time to time while somebody waits, in case a wake-up was missed; more often
// where that is the only way.
void Engine::KeepPolling() {
  constexpr int kMoreOftenDeaf = 5;
  if (polling_.exchange(true)) return;
  const auto interval = config_.fallback_poll_interval / (IsDeaf() ? kMoreOftenDeaf : 1);
  timer_.At(SteadyClock::now() + interval, [this] {
    polling_ = false;
    if (waiters_.size() > 0) WakeAll();
  });
}

void Engine::UpdateListener() {
  const std::lock_guard lock(listener_mutex_);
  if (closed_) return;
  const bool needed = waiters_.size() > 0;
  if (!listener_ && needed) StartListening();
  if (listener_) listener_->SetArmed(needed);
}

bool Engine::IsDeaf() {
  const std::lock_guard lock(listener_mutex_);
  return listener_ ? listener_->is_deaf() : !database_->is_private();
}

// Where it fails the fallback poll serves whoever waits now, and the next one who waits tries
// again.
void Engine::StartListening() {
  try {
    listener_ = database_->Listen([this](const driver::Announcement& heard) {
      if (heard.queue_id == 0) return intake_.Poke();
      HasMessageFrom(heard.queue_id, heard.visible_at);
    });
  } catch (...) {
    LogError(LogLevel::kWarning, "the changes of other processes cannot be watched for now",
             std::current_exception());
  }
}

void Engine::CancelWaits(const queue::Worker* worker) {
  Answer(waiters_.TakeWorker(worker));
  UpdateListener();
}

void Engine::Close() {
  {
    const std::lock_guard lock(close_mutex_);
    if (closed_.exchange(true)) return;
    CloseThreads();
  }
  callbacks_.Close();
  Log(LogLevel::kDebug, "the store is closed");
}

void Engine::CloseThreads() {
  {
    std::unique_ptr<driver::ChangeListener> listener;
    {
      const std::lock_guard listener_lock(listener_mutex_);
      listener = std::move(listener_);
    }
  }
  timer_.Stop();
  Answer(waiters_.TakeAll());
  intake_.Close();
  for (auto& lane : lanes_) {
    if (lane->thread.joinable()) lane->thread.join();
  }
  readers_.Close();
  transactions_.Close();
  Answer(waiters_.TakeAll());
  for (auto& lane : lanes_) lane->Disconnect();
}

EngineMetrics Engine::Metrics() const {
  auto metrics = stats_.Snapshot();
  metrics.pending_requests = pending_;
  metrics.waiting_consumers = waiters_.size();
  return metrics;
}

void Engine::Log(LogLevel level, std::string_view message, std::span<const LogField> fields) const {
  if (!config_.log) return;
  try {
    config_.log({.level = level, .message = message, .fields = fields});
  } catch (...) {
    return;  // It must not throw; there is nobody to tell.
  }
}

void Engine::LogError(LogLevel level, std::string_view message,
                      const std::exception_ptr& error) const noexcept {
  try {
    const std::array fields = {LogField{"error", TextOf(error)}};
    Log(level, message, fields);
  } catch (...) {
    return;  // There is no memory for the text.
  }
}

std::exception_ptr Engine::PublicError(const std::exception_ptr& error) const noexcept {
  auto public_error = MakePublicError(error);
  if (public_error != error) {
    LogError(LogLevel::kError,
             FaultOf(error) ? "the database reported an error" : "a call met an unforeseen error",
             error);
  }
  return public_error;
}

}  // namespace pgqrs::engine
