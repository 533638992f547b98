// The fixture of the tests that kill processes which execute workflows.
#ifndef PGQRS_TESTS_CRASH_WORKFLOW_CRASH_TEST_H_
#define PGQRS_TESTS_CRASH_WORKFLOW_CRASH_TEST_H_

#include <cstdint>
#include <map>
#include <string>

#include "crash/crash_test.h"
#include "crash/sample_workflow.h"

namespace pgqrs::testing {

#ifdef PGQRS_WITH_TURSO
inline constexpr const char* kWorkflowBackends[] = {"sqlite", "turso", "postgres"};
#else
inline constexpr const char* kWorkflowBackends[] = {"sqlite", "postgres"};
#endif

class WorkflowCrashTest : public CrashTest, public ::testing::WithParamInterface<const char*> {
 protected:
  WorkflowCrashTest() {
    if (GetParam() == std::string("postgres")) UseDsn(SharedPostgres().NewDatabase());
    if (!AreManyProcessesPossible()) UseDsn("turso://" + database());
  }

  // A file of Turso is open in one process at a time.
  static bool AreManyProcessesPossible() { return GetParam() != std::string("turso"); }

  // Of all processes.
  BodyNotes notes() const { return BodyNotes(folder().File("notes")); }

  // Fails the test where a finished run of the sample is not exactly what an undisturbed one would
  // be: its output, its steps, its child, and of each effect one.
  static void CheckRun(PgqrsStore& store, const RunInfo& run, const Effects& effects,
                       const BodyNotes::Counts& bodies);

 private:
  static std::map<std::string, StepInfo> StepsOf(PgqrsStore& store, std::int64_t run_id);
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CRASH_WORKFLOW_CRASH_TEST_H_
