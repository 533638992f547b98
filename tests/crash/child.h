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
//   flow DSN JOURNAL NAME              triggers runs of the sample workflow for ever, a few at a
//                                      time, and executes runs of it
//   boundary DSN JOURNAL NOTES RUN NTH NAME
//                                      executes the run, and dies at the NTH boundary of its steps,
//                                      whose name it writes to the file NAME
//   execute DSN JOURNAL NOTES RUN KIND NTH COUNT
//                                      executes the run on a file of SQLite, and dies at the NTH
//                                      system call of that kind; for 0 it does not, and writes
//                                      their number to the file COUNT
//   do FILE CALL KIND NTH              makes one call of queue_calls.h on a file of SQLite, and
//                                      dies at the NTH system call of that kind
int RunChild(const std::vector<std::string>& arguments);

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CRASH_CHILD_H_
