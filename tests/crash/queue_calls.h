// Calls in several steps, to be interrupted.
#ifndef PGQRS_TESTS_CRASH_QUEUE_CALLS_H_
#define PGQRS_TESTS_CRASH_QUEUE_CALLS_H_

#include <functional>
#include <string>

namespace pgqrs::testing {

// How many messages of each kind PrepareForCalls makes: more than one step of a call works on.
inline constexpr int kMessagesOfAKind = 550;

// Makes a database with two queues: "jobs" with messages that wait, archived ones and dead letters,
// each in a batch of its own, and "other" with three that wait.
void PrepareForCalls(const std::string& database);

// Opens the database and makes one call, with `arm` just before it:
//   open        opens the database, which may be missing; this time after `arm`
//   delete      deletes "jobs" by force
//   purge       purges "jobs"
//   retain      removes its archived messages
//   replay      replays its dead letters
//   close       takes all messages that wait, and closes the store
void MakeCall(const std::string& call, const std::string& database,
              const std::function<void()>& arm);

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CRASH_QUEUE_CALLS_H_
