#include "queue/shared_state.h"

#include <algorithm>
#include <string>

namespace pgqrs::queue {
namespace {

// What is forgotten beyond that is looked up.
constexpr std::size_t kMaxQueuesOfBatches = 65'536;

// Ids are given up when the process ends, so a block is not large; a process that needs many pays
// one statement for each thousand.
constexpr std::int64_t kIdBlock = 1024;

}  // namespace

std::int64_t IdBlock::Next(driver::Connection& connection) {
  const std::lock_guard lock(mutex_);
  if (state_.next == state_.end) {
    connection.Run(reserve_, {kIdBlock}, [&](const driver::Row& row) {
      state_.next = row.Int(0);
      state_.end = state_.next + row.Int(1);
      return false;
    });
    if (state_.next == state_.end) {
      throw driver::Failure(driver::Fault::kStorage,
                            std::string(sql::Info(reserve_).name) + " found no sequence");
    }
  }
  return state_.next++;
}

IdBlock::State IdBlock::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void IdBlock::Restore(const State& state) {
  const std::lock_guard lock(mutex_);
  state_ = state;
}

void Holders::Took(const std::shared_ptr<Worker>& worker, std::int64_t n) {
  worker->held += n;
  const std::lock_guard lock(mutex_);
  workers_[worker->id] = worker;
  if (workers_.size() < sweep_at_) return;
  std::erase_if(workers_, [](const auto& holder) { return holder.second.expired(); });
  sweep_at_ = std::max(sweep_at_, 2 * workers_.size());
}

void Holders::Settled(std::int64_t worker_id, std::int64_t n) {
  const std::lock_guard lock(mutex_);
  const auto holder = workers_.find(worker_id);
  if (holder == workers_.end()) return;
  if (const auto worker = holder->second.lock()) {
    worker->held -= n;
  } else {
    workers_.erase(holder);
  }
}

void QueuesOfBatches::Note(std::int64_t batch_id, std::int64_t queue_id) {
  const std::lock_guard lock(mutex_);
  if (queues_.size() >= kMaxQueuesOfBatches) queues_.clear();
  queues_.emplace(batch_id, queue_id);
}

std::int64_t QueuesOfBatches::Find(std::int64_t batch_id) {
  const std::lock_guard lock(mutex_);
  const auto found = queues_.find(batch_id);
  return found == queues_.end() ? 0 : found->second;
}

}  // namespace pgqrs::queue
