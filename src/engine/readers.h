#ifndef PGQRS_ENGINE_READERS_H_
#define PGQRS_ENGINE_READERS_H_

#include <pgqrs/time.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "driver/driver.h"

namespace pgqrs::engine {

// Threads with connections that read beside the lane. They start as they are needed.
class Readers {
 public:
  // `task` gets a connection that is in a transaction, or the error why there is none. What it
  // throws because the connection was lost, or a conflict, has it called again with another one.
  using Task = std::function<void(driver::Connection*, std::exception_ptr)>;

  // A task waits for a connection as long as `connection_timeout`.
  Readers(driver::Database& database, std::size_t max_threads, std::size_t max_tasks,
          Duration connection_timeout)
      : database_(database),
        max_threads_(max_threads),
        max_tasks_(max_tasks),
        connection_timeout_(connection_timeout) {}
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;
  ~Readers() { Close(); }

  // Waits first while too many tasks wait. Answers false once closed. Throws Error where not even
  // one thread can be started.
  bool Submit(Task task);

  // Runs what was submitted, and ends.
  void Close();

 private:
  void AddThread();
  void Run();
  void RunTask(const Task& task, std::unique_ptr<driver::Connection>& connection);
  std::unique_ptr<driver::Connection> Open();
  std::exception_ptr TryTask(const Task& task, std::unique_ptr<driver::Connection>& connection);

  driver::Database& database_;
  const std::size_t max_threads_;
  const std::size_t max_tasks_;
  const Duration connection_timeout_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable not_full_;
  std::deque<Task> tasks_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  std::atomic<bool> closed_ = false;
};

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_READERS_H_
