#include "engine/readers.h"

#include <pgqrs/error.h>

#include <exception>
#include <utility>

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

// In a transaction, so that all statements of the task see the same moment.
void Readers::RunTask(const Task& task, std::unique_ptr<driver::Connection>& connection) {
  try {
    Begin(connection);
  } catch (...) {
    connection.reset();
    task(nullptr, std::current_exception());
    return;
  }
  task(connection.get(), nullptr);
  connection->Rollback();
  if (connection->is_lost()) connection.reset();
}

// Where the connection was lost since its last use, on a new one.
void Readers::Begin(std::unique_ptr<driver::Connection>& connection) {
  if (connection) {
    try {
      connection->Begin();
      return;
    } catch (const driver::Failure&) {
      if (!connection->is_lost()) throw;
    }
  }
  connection = database_.OpenReader();
  connection->Begin();
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
