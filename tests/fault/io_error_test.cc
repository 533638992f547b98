#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <ostream>
#include <string>

#include "fault/fault_test.h"
#include "support/faulty_vfs.h"
#include "support/temp_folder.h"
#include "support/throws.h"

namespace pgqrs::testing {
namespace {

// One way to fail.
struct Case {
  IoCall call;
  IoFault fault;
  bool for_good;
};

std::string NameOf(const Case& tested) {
  return std::string(ToString(tested.call)) +
         (tested.fault == IoFault::kFail ? "Fails" : "FailsAfterwards") +
         (tested.for_good ? "ForGood" : "Once");
}

void PrintTo(const Case& tested, std::ostream* out) { *out << NameOf(tested); }

class IoErrors : public FaultTest, public ::testing::WithParamInterface<Case> {
 protected:
  // Runs the workload with the fault at the n-th call, or none for 0. Gives the number of calls.
  std::int64_t RunWithFaultAt(std::int64_t n) {
    SCOPED_TRACE("the fault is at number " + std::to_string(n));
    const auto& tested = GetParam();
    std::int64_t calls_before = 0;
    RunWorkload([&] {
      calls_before = vfs().Calls(tested.call);
      if (n > 0) vfs().Fail(tested.call, n, tested.fault, tested.for_good);
    });
    return vfs().Calls(tested.call) - calls_before;
  }
};

INSTANTIATE_TEST_SUITE_P(Faults, IoErrors,
                         ::testing::Values(Case{IoCall::kOpen, IoFault::kFail, false},
                                           Case{IoCall::kOpen, IoFault::kFail, true},
                                           Case{IoCall::kRead, IoFault::kFail, false},
                                           Case{IoCall::kRead, IoFault::kFail, true},
                                           Case{IoCall::kWrite, IoFault::kFail, false},
                                           Case{IoCall::kWrite, IoFault::kFail, true},
                                           Case{IoCall::kWrite, IoFault::kFailAfterwards, false},
                                           Case{IoCall::kSync, IoFault::kFail, false},
                                           Case{IoCall::kSync, IoFault::kFail, true},
                                           Case{IoCall::kSync, IoFault::kFailAfterwards, false},
                                           Case{IoCall::kTruncate, IoFault::kFail, false}),
                         [](const ::testing::TestParamInfo<Case>& tested) {
                           return NameOf(tested.param);
                         });

TEST_P(IoErrors, NothingAcknowledgedIsLostWhicheverCallFails) {
  const auto calls = RunWithFaultAt(0);
  ASSERT_GT(calls, 0);
  for (const auto n : FaultPoints(calls)) {
    RunWithFaultAt(n);
    if (HasFailure()) return;
  }
}

class FailingCommit : public FaultTest {
 protected:
  // The error of an enqueue whose n-th call of this kind fails.
  std::string ErrorOfEnqueue(IoCall call, std::int64_t n) {
    vfs().Fail(call, n);
    auto error = MessageOf<InternalError>([this] { queue_.Enqueue("payload"); });
    vfs().Lift();
    return error;
  }

 private:
  TempFolder folder_;
  PgqrsStore store_ = PgqrsStore::Connect("sqlite://" + folder_.File("queue.db"));
  Queue queue_ = store_.Queue("jobs");
};

TEST_F(FailingCommit, SaysThatItsOutcomeIsUnknown) {
  EXPECT_THAT(ErrorOfEnqueue(IoCall::kWrite, 1), HasSubstr("outcome is unknown"));
  EXPECT_THAT(ErrorOfEnqueue(IoCall::kWrite, 2), HasSubstr("outcome is unknown"));
  EXPECT_THAT(ErrorOfEnqueue(IoCall::kSync, 1), HasSubstr("outcome is unknown"));
}

}  // namespace
}  // namespace pgqrs::testing
