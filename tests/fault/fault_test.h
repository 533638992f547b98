// The fixture of the tests that let a workload meet a failing disk.
#ifndef PGQRS_TESTS_FAULT_FAULT_TEST_H_
#define PGQRS_TESTS_FAULT_FAULT_TEST_H_

#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "fault/expectations.h"
#include "support/faulty_vfs.h"
#include "support/manual_clock.h"
#include "support/names.h"
#include "support/temp_folder.h"

namespace pgqrs::testing {

class FaultTest : public ::testing::Test {
 protected:
  // Runs the workload on a disk that `arm` makes fail from its start on. Afterwards the disk is
  // well, and the same store, one opened later, and one opened on what a crash after the first
  // error would have left have to have everything that was acknowledged. Gives the errors.
  std::vector<std::string> RunWorkload(const std::function<void()>& arm);

  FaultyVfs& vfs() { return vfs_; }

  // Numbers from 1 to n, evenly spread from a random start on: where each test puts its faults.
  // PGQRS_FAULT_POINTS says how many.
  static std::vector<std::int64_t> FaultPoints(std::int64_t n);

 private:
  Config ConfigFor(const TempFolder& folder) const;
  void CheckReopened(const TempFolder& folder, Expectations expectations) const;

  FaultyVfs vfs_;
  ManualClock clock_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_FAULT_FAULT_TEST_H_
