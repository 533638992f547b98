#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "fault/fault_test.h"
#include "support/faulty_disk.h"
#include "support/temp_folder.h"
#include "support/throws.h"

namespace pgqrs::testing {
namespace {

// One way to fail.
struct Case {
  std::string backend;
  IoCall call;
  IoFault fault;
  bool for_good;
};

std::string NameOf(const Case& tested) {
  const std::map<IoFault, std::string> faults = {{IoFault::kFail, "Fails"},
                                                 {IoFault::kFailHalfway, "FailsHalfway"},
                                                 {IoFault::kFailAfterwards, "FailsAfterwards"}};
  return tested.backend + std::string(ToString(tested.call)) + faults.at(tested.fault) +
         (tested.for_good ? "ForGood" : "Once");
}

void PrintTo(const Case& tested, std::ostream* out) { *out << NameOf(tested); }

class IoErrors : public FaultTest, public ::testing::WithParamInterface<Case> {
 protected:
  IoErrors() : FaultTest(GetParam().backend) {}

  // Runs a workload with the fault at some of its calls, one after another.
  void RunWithFaults(void (Workload::*work)(), bool takes_long) {
    const auto calls = RunWithFaultAt(0, work);
    ASSERT_GT(calls, 0);
    for (const auto n : FaultPoints(calls, takes_long)) {
      if (GetParam().fault == IoFault::kFailHalfway && n < FirstTornWrite()) continue;
      RunWithFaultAt(n, work);
      if (HasFailure()) return;
    }
  }

 private:
  // With the fault at the n-th call, or none for 0. Gives the number of calls.
  std::int64_t RunWithFaultAt(std::int64_t n, void (Workload::*work)()) {
    SCOPED_TRACE("the fault is at number " + std::to_string(n));
    const auto& tested = GetParam();
    std::int64_t calls = 0;
    const auto arm = [&] {
      calls = -disk().Calls(tested.call);
      if (n > 0) disk().Fail(tested.call, n, tested.fault, tested.for_good);
    };
    RunWorkload(
        arm, [&] { calls += disk().Calls(tested.call); }, work);
    return calls;
  }
};

std::vector<Case> Cases(bool copies_log) {
  std::vector<Case> cases;
  for (const auto& backend : FaultyBackends()) {
    for (const auto call :
         {IoCall::kOpen, IoCall::kRead, IoCall::kWrite, IoCall::kSync, IoCall::kTruncate}) {
      // Turso truncates nothing but the log, where it was copied.
      if (call == IoCall::kTruncate && backend == "turso" && !copies_log) continue;
      cases.push_back({backend, call, IoFault::kFail, false});
      if (call == IoCall::kTruncate) continue;
      cases.push_back({backend, call, IoFault::kFail, true});
      if (call == IoCall::kOpen || call == IoCall::kRead) continue;
      cases.push_back({backend, call, IoFault::kFailAfterwards, false});
      if (call == IoCall::kWrite) cases.push_back({backend, call, IoFault::kFailHalfway, false});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Faults, IoErrors, ::testing::ValuesIn(Cases(/*copies_log=*/false)),
                         [](const ::testing::TestParamInfo<Case>& tested) {
                           return NameOf(tested.param);
                         });

TEST_P(IoErrors, NothingAcknowledgedIsLostWhicheverCallFails) {
  RunWithFaults(&Workload::Run, /*takes_long=*/false);
}

class IoErrorsOfLargeWork : public IoErrors {};

INSTANTIATE_TEST_SUITE_P(Faults, IoErrorsOfLargeWork,
                         ::testing::ValuesIn(Cases(/*copies_log=*/true)),
                         [](const ::testing::TestParamInfo<Case>& tested) {
                           return NameOf(tested.param);
                         });

TEST_P(IoErrorsOfLargeWork, NothingAcknowledgedIsLostWhileTheLogIsCopied) {
  RunWithFaults(&Workload::RunLarge, /*takes_long=*/true);
}

class FailingCommit : public EachBackend {
 protected:
  // The calls of this kind that an enqueue makes.
  std::int64_t CallsOfEnqueue(IoCall call) {
    const auto before = disk().Calls(call);
    queue_.Enqueue("payload");
    return disk().Calls(call) - before;
  }

  // The error of an enqueue whose n-th call of this kind fails.
  std::string ErrorOfEnqueue(IoCall call, std::int64_t n) {
    disk().Fail(call, n);
    auto error = MessageOf<InternalError>([this] { queue_.Enqueue("payload"); });
    disk().Lift();
    return error;
  }

 private:
  TempFolder folder_;
  PgqrsStore store_ = PgqrsStore::Connect(DsnFor(folder_));
  Queue queue_ = store_.Queue("jobs");
};

PGQRS_FAULT_SUITE(FailingCommit);

TEST_P(FailingCommit, SaysThatItsOutcomeIsUnknown) {
  CallsOfEnqueue(IoCall::kWrite);  // The first one of a store makes more of them.
  for (const auto call : {IoCall::kWrite, IoCall::kSync}) {
    const auto calls = CallsOfEnqueue(call);
    ASSERT_GT(calls, 0);
    for (std::int64_t n = 1; n <= calls; ++n) {
      EXPECT_THAT(ErrorOfEnqueue(call, n), HasSubstr("outcome is unknown")) << ToString(call) << n;
    }
  }
}

}  // namespace
}  // namespace pgqrs::testing
