#include "engine/transactions.h"

#include <pgqrs/error.h>

#include <exception>
#include <utility>

#include "engine/lane.h"
#include "engine/public_error.h"

namespace pgqrs::engine {

void Transactions::Run(const Work& work, const HasHappened& has_happened,
                       std::chrono::steady_clock::time_point deadline,
                       const std::atomic<bool>& gives_up) {
  auto connection = Take(deadline);
  const auto give = [this](ConnectionPtr* taken) { Give(std::move(*taken)); };
  const std::unique_ptr<ConnectionPtr, decltype(give)> lent(&connection, give);
  bool may_have_happened = false;
  for (int attempt = 1;; ++attempt) {
    try {
      Open(connection);
      connection->Begin();
      const bool is_done = may_have_happened && has_happened(*connection);
      if (!is_done) work(*connection);
      connection->Commit();
      return;
    } catch (...) {
      const auto error = std::current_exception();
      if (connection) {
        connection->Rollback();
        if (connection->is_lost()) connection.reset();
      }
      const bool is_unknown = FaultOf(error) == driver::Fault::kUnknown;
      may_have_happened |= is_unknown;
      if ((is_unknown || MayPass(error)) && BackOff(attempt, deadline, gives_up)) continue;
      if (may_have_happened) std::rethrow_exception(AsUnknown(error));
      throw;
    }
  }
}

Transactions::ConnectionPtr Transactions::Take(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  const bool is_free =
      changed_.wait_until(lock, deadline, [this] { return closed_ || taken_ < max_connections_; });
  if (closed_) throw Error("the store is closed");
  if (!is_free) {
    throw driver::Failure(driver::Fault::kBusy,
                          "all connections for transactions of steps are in use");
  }
  ++taken_;
  if (idle_.empty()) return nullptr;
  auto connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void Transactions::Give(ConnectionPtr connection) {
  const std::lock_guard lock(mutex_);
  --taken_;
  if (connection && !closed_) idle_.push_back(std::move(connection));
  changed_.notify_all();
}

// A server that cannot be reached may come back.
void Transactions::Open(ConnectionPtr& connection) const {
  if (connection) return;
  try {
    connection = database_.OpenWriter();
    connection->Adopt();
  } catch (const PgqrsConnectionError& error) {
    connection.reset();
    throw driver::Failure(driver::Fault::kLost, error.what());
  }
}

void Transactions::Close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return taken_ == 0; });
  idle_.clear();
}

}  // namespace pgqrs::engine
