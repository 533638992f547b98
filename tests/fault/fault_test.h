// The fixture of the tests on a failing disk.
#ifndef PGQRS_TESTS_FAULT_FAULT_TEST_H_
#define PGQRS_TESTS_FAULT_FAULT_TEST_H_

#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fault/expectations.h"
#include "fault/workload.h"
#include "support/faulty_disk.h"
#include "support/manual_clock.h"
#include "support/names.h"
#include "support/temp_folder.h"

namespace pgqrs::testing {

// The databases whose calls can be made to fail: "sqlite", and "turso" where it is built in.
std::vector<std::string> FaultyBackends();

class FaultTest : public ::testing::Test {
 protected:
  explicit FaultTest(std::string backend);

  // Runs a workload on a disk that `arm` makes fail from its start on; `done` is called at its end.
  // Afterwards the disk is well, and the same store, one opened later, and one opened on what a
  // crash after the first error would have left have to have everything that was acknowledged.
  // Gives the errors.
  std::vector<std::string> RunWorkload(
      const std::function<void()>& arm, const std::function<void()>& done = [] {},
      void (Workload::*work)() = &Workload::Run);

  // The first write of a new file that may end halfway. One of Turso is of no use once a part of
  // its first page was written, though nothing is lost: Connect says to remove it (tests/turso).
  std::int64_t FirstTornWrite() const { return backend_ == "turso" ? 2 : 1; }

  FaultyDisk& disk() { return *disk_; }
  std::string DsnFor(const TempFolder& folder) const;

  // Numbers from 1 to n, evenly spread from a random start on: where each test puts its faults.
  // PGQRS_FAULT_POINTS says how many. Fewer for a workload that takes long.
  static std::vector<std::int64_t> FaultPoints(std::int64_t n, bool takes_long = false);

 private:
  Config ConfigFor(const TempFolder& folder) const;
  void CheckReopened(const TempFolder& folder, Expectations expectations) const;

  const std::string backend_;
  const std::unique_ptr<FaultyDisk> disk_;
  ManualClock clock_;
};

// The same for tests without other parameters.
class EachBackend : public FaultTest, public ::testing::WithParamInterface<std::string> {
 protected:
  EachBackend() : FaultTest(GetParam()) {}
};

}  // namespace pgqrs::testing

// Runs the tests of a suite on each backend.
#define PGQRS_FAULT_SUITE(suite)                                                \
  INSTANTIATE_TEST_SUITE_P(                                                     \
      Backends, suite, ::testing::ValuesIn(::pgqrs::testing::FaultyBackends()), \
      [](const ::testing::TestParamInfo<std::string>& tested) { return tested.param; })

#endif  // PGQRS_TESTS_FAULT_FAULT_TEST_H_
