// What the other processes do.
#ifndef PGQRS_TESTS_CRASH_CHILD_H_
#define PGQRS_TESTS_CRASH_CHILD_H_

#include <string>
#include <vector>

namespace pgqrs::testing {

// Roles, each with the file of the database and what is named; the exit code is 0 where all went
// well.
//
//   produce DB JOURNAL NAME PAUSE_MS enqueues for ever, alone and in batches, with pauses
//   work DB JOURNAL LEASE_MS       takes and acks messages for ever
//   share DB JOURNAL NAME COUNT    COUNT times enqueues a message, and takes and acks one
//   hold DB JOURNAL COUNT LEASE_MS takes COUNT messages, waits for the file JOURNAL.go, and acks
//   them do DB CALL KIND NTH            makes one call of queue_calls.h, and dies at the NTH system
//   call
//                                  of that kind
int RunChild(const std::vector<std::string>& arguments);

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CRASH_CHILD_H_
