#ifndef PGQRS_ENGINE_TRANSACTIONS_H_
#define PGQRS_ENGINE_TRANSACTIONS_H_

#include <pgqrs/error.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "driver/driver.h"

namespace pgqrs::engine {

// The database has refused a transaction for what it does, as at its commit for a deferred
// constraint. It did not happen, and would not the next time.
class TransactionRefused : public InternalError {
 public:
  using InternalError::InternalError;
};

// Runs transactions of callers on their own threads, with connections that write and are no lane's.
// These are opened as they are needed, and kept.
class Transactions {
 public:
  using Work = std::function<void(driver::Connection&)>;
  using HasHappened = std::function<bool(driver::Connection&)>;

  Transactions(driver::Database& database, std::size_t max_connections)
      : database_(database), max_connections_(max_connections) {}
  Transactions(const Transactions&) = delete;
  Transactions& operator=(const Transactions&) = delete;

  // Whether there may be any.
  bool is_available() const { return max_connections_ > 0; }

  // See Engine::Transact. Waits for a connection, and tries again, until the deadline. Throws
  // driver::Failure, or what `work` throws.
  void Run(const Work& work, const HasHappened& has_happened,
           std::chrono::steady_clock::time_point deadline, const std::atomic<bool>& gives_up);

  // Waits for those that are under way, and closes all connections.
  void Close();

 private:
  using ConnectionPtr = std::unique_ptr<driver::Connection>;

  ConnectionPtr Take(std::chrono::steady_clock::time_point deadline);
  void Give(ConnectionPtr connection);
  void Open(ConnectionPtr& connection) const;

  driver::Database& database_;
  const std::size_t max_connections_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ConnectionPtr> idle_;
  std::size_t taken_ = 0;
  bool closed_ = false;
};

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_TRANSACTIONS_H_
