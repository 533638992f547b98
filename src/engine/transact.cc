// Engine::Transact: transactions whose bodies are the caller's.
#include <pgqrs/error.h>

#include <exception>
#include <future>
#include <memory>
#include <utility>

#include "engine/engine.h"
#include "engine/public_error.h"

namespace pgqrs::engine {
namespace {

thread_local const Engine* in_transaction_of = nullptr;

// Marks the thread as one that is in the body of a transaction.
class InTransaction {
 public:
  explicit InTransaction(const Engine* engine) { in_transaction_of = engine; }
  InTransaction(const InTransaction&) = delete;
  InTransaction& operator=(const InTransaction&) = delete;
  ~InTransaction() { in_transaction_of = was_in_; }

 private:
  const Engine* const was_in_ = in_transaction_of;
};

}  // namespace

bool Engine::IsInTransaction() const { return in_transaction_of == this; }

void Engine::Transact(const std::function<void(driver::Connection&)>& work,
                      const std::function<bool(driver::Connection&)>& has_happened) {
  if (IsCompleting() || IsInTransaction()) {
    throw Error("a transaction cannot be run in the body of another one, nor in a callback");
  }
  const auto marked = [this, &work](driver::Connection& connection) {
    const InTransaction body(this);
    work(connection);
  };
  if (!transactions_.is_available()) return TransactOnLane(marked);
  try {
    transactions_.Run(marked, has_happened, ConnectionDeadline(), closed_);
  } catch (const driver::Failure& failure) {
    const auto error = PublicError(std::current_exception());
    if (failure.fault() == driver::Fault::kStatement) throw TransactionRefused(TextOf(error));
    std::rethrow_exception(error);
  }
}

// What the body throws comes out as it is, and not as an error of the database.
void Engine::TransactOnLane(const std::function<void(driver::Connection&)>& work) {
  struct Transaction final : queue::JobRequest {
    void Complete() override { done->set_value(error); }
    std::promise<std::exception_ptr>* done = nullptr;
  };
  std::promise<std::exception_ptr> done;
  std::exception_ptr thrown;
  auto job = std::make_unique<Transaction>();
  job->done = &done;
  job->may_free_messages = false;
  job->step = [&work, &thrown](driver::Connection& connection) {
    try {
      work(connection);
    } catch (const driver::Failure&) {
      throw;
    } catch (...) {
      thrown = std::current_exception();
      throw;
    }
    return false;
  };
  Submit(std::move(job));
  const auto error = done.get_future().get();
  if (thrown) std::rethrow_exception(thrown);
  if (error) std::rethrow_exception(error);
}

}  // namespace pgqrs::engine
