// Every failure that pgqrs reports is an exception below pgqrs::Error.
//
// The message of an error says what was attempted, on what, and why it failed. It never holds a
// password, nor of a payload more than a key that is refused.
#ifndef PGQRS_ERROR_H_
#define PGQRS_ERROR_H_

#include <stdexcept>
#include <string>
#include <utility>

namespace pgqrs {

// The base of all errors. Catch this one to handle "anything went wrong in the queue".
//
// It is thrown itself where an object is used wrongly; the text says what was used after what:
//   - a store, queue, consumer, message, Admin or Future after it was moved from (assigning to it
//     and destroying it are fine);
//   - a Future after its result was taken, by Get, Then, Offer or co_await;
//   - anything of a store after the store was closed, or in a forked child;
//   - a consumer after Close, a QueueWorker that is run a second time.
// It is also what Connect, a read, or the start of a QueueWorker throws where the system has no
// thread for it.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what) : std::runtime_error(what) {}
};

// The database could not be reached or opened, or stayed locked, for Config::connection_timeout; or
// one of the server's own time-outs ended a call. Trying again later may help, unless the text says
// that Connect lacks a right.
class PgqrsConnectionError : public Error {
 public:
  using Error::Error;
};

// The DSN or a field of Config has no meaning, or names something that this build does not have.
class ConfigError : public Error {
 public:
  using Error::Error;
};

// An argument is outside what the call accepts. Nothing was stored.
class ValidationError : public Error {
 public:
  using Error::Error;
};

// A payload is no JSON document, or no UTF-8, or holds what the database cannot store. Nothing was
// stored.
class SerializationError : public Error {
 public:
  using Error::Error;
};

// No queue of this name exists.
class QueueNotFoundError : public Error {
 public:
  using Error::Error;
};

// CreateQueue met a queue of the same name.
class QueueAlreadyExistsError : public Error {
 public:
  using Error::Error;
};

// No worker with this id exists.
class WorkerNotFoundError : public Error {
 public:
  using Error::Error;
};

// No message with this id exists, or not in the state that the call needs. For calls that cannot go
// on without a certain message, as those about a run of a workflow, whose id is that of a message.
// Where a message may be missing the calls answer so instead: FindMessage nothing, Ack false.
class MessageNotFoundError : public Error {
 public:
  using Error::Error;
};

// More messages were enqueued in a second than Config::max_enqueue_per_second allows.
class RateLimitedError : public Error {
 public:
  using Error::Error;
};

// What a call waits for did not happen in the time that it was given: the end of a run of a
// workflow. DequeueWait answers nothing at the end of its time and QueueWorker::Stop false, and a
// database that stays locked is a PgqrsConnectionError.
class TimeoutError : public Error {
 public:
  using Error::Error;
};

// A worker cannot go from its state to the one asked for.
class StateTransitionError : public Error {
 public:
  using Error::Error;
};

// The schema in the database is missing, damaged, newer than this library, or belongs to another
// program. Nothing was changed.
class SchemaError : public Error {
 public:
  using Error::Error;
};

// The database reported something that pgqrs did not expect: a full disk, an I/O error, a damaged
// file. The text holds the database's own words.
class InternalError : public Error {
 public:
  using Error::Error;
};

// A run of a workflow ended without a result, or a step without one: what the code of the workflow
// has thrown, or that the run was cancelled.
class WorkflowError : public Error {
 public:
  WorkflowError(const std::string& what, std::string code, std::string step)
      : Error(what), code_(std::move(code)), step_(std::move(step)) {}

  // What kind of error it was: the type of the exception, or the code that was given with it.
  const std::string& code() const { return code_; }
  // The step in which it was thrown. Empty: outside of a step, or none.
  const std::string& step() const { return step_; }

 private:
  std::string code_;
  std::string step_;
};

// The code of a workflow does not match the steps that are recorded for a run: it was changed, or
// it is not deterministic. The run is left as it was, to be continued by the right code.
class NonDeterminismError : public Error {
 public:
  using Error::Error;
};

// A step failed at its last try.
class RetriesExhaustedError : public WorkflowError {
 public:
  using WorkflowError::WorkflowError;
};

// A step that failed is to wait longer before it may be tried again.
class StepNotReadyError : public Error {
 public:
  using Error::Error;
};

}  // namespace pgqrs

#endif  // PGQRS_ERROR_H_
