// What the other processes do.
#ifndef PGQRS_TESTS_CRASH_CHILD_H_
#define PGQRS_TESTS_CRASH_CHILD_H_

#include <string>
#include <vector>

namespace pgqrs::testing {

// Roles, each with the DSN and what is named; the exit code is 0 where all went well.
//
//   produce DSN JOURNAL NAME PAUSE_MS  enqueues for ever, alone and in batches, with pauses
//   work DSN JOURNAL LEASE_MS          takes and acks messages for ever
//   share DSN JOURNAL NAME COUNT THREADS
//                                      in each thread COUNT times enqueues a message, and takes and
//                                      acks one
//   hold DSN JOURNAL COUNT LEASE_MS    takes COUNT messages, waits for the file JOURNAL.go, and
//                                      acks them
//   flow DSN JOURNAL LEASE_MS CONCURRENCY BOUNDARY
//                                      executes runs of the workflow of crash_workflow.h for ever,
//                                      or until it dies at that boundary (0: never)
//   do FILE CALL KIND NTH              makes one call of queue_calls.h on a file of SQLite, and
//                                      dies at the NTH system call of that kind
int RunChild(const std::vector<std::string>& arguments);

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CRASH_CHILD_H_
