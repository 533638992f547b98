#include "engine/readers.h"

#include <pgqrs/error.h>

#include <exception>
#include <utility>

#include "engine/lane.h"
#include "engine/public_error.h"
#include "util/thread.h"

namespace pgqrs::engine {

bool Readers::Submit(Task task) {
  std::unique_lock lock(mutex_);
  not_full_.wait(lock, [this] { return tasks_.size() < max_tasks_ || closed_; });
  if (closed_) return false;
  tasks_.push_back(std::move(task));
  if (tasks_.size() > idle_ && threads_.size() < max_threads_) AddThread();
  changed_.notify_one();
  return true;
}

// Where there is none to be had, those that are there already have to do.
void Readers::AddThread() {
  try {
    threads_.push_back(util::StartThread([this] { Run(); }));
  } catch (const Error&) {
    if (!threads_.empty()) return;
    tasks_.pop_back();
    throw;
  }
}

void Readers::Run() {
  std::unique_ptr<driver::Connection> connection;
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return !tasks_.empty() || closed_; });
    --idle_;
    if (tasks_.empty()) return;
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    not_full_.notify_one();
    lock.unlock();
    RunTask(task, connection);
    lock.lock();
  }
}

void Readers::RunTask(const Task& task, std::unique_ptr<driver::Connection>& connection) {
  const auto deadline = std::chrono::steady_clock::now() + connection_timeout_;
  for (int attempt = 1;; ++attempt) {
    const auto error = TryTask(task, connection);
    if (!error) return;
    if (MayPass(error) && BackOff(attempt, deadline, closed_)) continue;
    task(nullptr, error);
    return;
  }
}

// A server that cannot be reached may come back.
std::unique_ptr<driver::Connection> Readers::Open() {
  try {
    return database_.OpenReader();
  } catch (const PgqrsConnectionError& error) {
    if (database_.is_embedded()) throw;
    throw driver::Failure(driver::Fault::kLost, error.what());
  }
}

// In a transaction, so that all statements of the task see the same moment.
std::exception_ptr Readers::TryTask(const Task& task,
                                    std::unique_ptr<driver::Connection>& connection) {
  std::exception_ptr error;
  try {
    if (!connection) connection = Open();
    connection->Begin();
    task(connection.get(), nullptr);
  } catch (...) {
    error = std::current_exception();
  }
  if (connection) {
    connection->Rollback();
    if (connection->is_lost()) connection.reset();
  }
  return error;
}

void Readers::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
    not_full_.notify_all();
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace pgqrs::engine
