#ifndef PGQRS_TESTS_FAULT_FAULTY_SYSTEM_CALLS_H_
#define PGQRS_TESTS_FAULT_FAULTY_SYSTEM_CALLS_H_

#include "support/faulty_disk.h"

namespace pgqrs::testing {

// While it lives it gets hold of the calls of Turso's engine on the files of databases that are
// named queue.db. The program that has this class defines the functions of libc that the engine
// calls, which take the place of libc's own.
class FaultySystemCalls final : public FaultyDisk {
 public:
  FaultySystemCalls();
  FaultySystemCalls(const FaultySystemCalls&) = delete;
  FaultySystemCalls& operator=(const FaultySystemCalls&) = delete;
  ~FaultySystemCalls() override;

  struct Calls;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_FAULT_FAULTY_SYSTEM_CALLS_H_
