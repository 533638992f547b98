#include "crash/workflow_crash_test.h"

#include <gmock/gmock.h>

#include <set>

namespace pgqrs::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::set<std::string> NamesOf(const std::map<std::string, StepInfo>& steps) {
  std::set<std::string> names;
  for (const auto& [name, step] : steps) names.insert(name);
  return names;
}

}  // namespace

std::map<std::string, StepInfo> WorkflowCrashTest::StepsOf(PgqrsStore& store, std::int64_t run_id) {
  std::map<std::string, StepInfo> steps;
  for (auto& step : store.Workflows().Steps({.run_id = run_id})) {
    const auto name = step.name;
    EXPECT_TRUE(steps.emplace(name, std::move(step)).second) << name << " is recorded twice";
  }
  return steps;
}

void WorkflowCrashTest::CheckRun(PgqrsStore& store, const RunInfo& run, const Effects& effects,
                                 const BodyNotes::Counts& bodies) {
  SCOPED_TRACE("run " + std::to_string(run.id));
  ASSERT_EQ(run.status, RunStatus::kSuccess) << run.error.value_or(Json()).text();
  const auto steps = StepsOf(store, run.id);
  EXPECT_EQ(NamesOf(steps), StepsOfSample());
  for (const auto& [name, step] : steps) {
    if (step.kind == StepKind::kSleep) continue;  // It has no outcome but that its time is past.
    EXPECT_EQ(step.status, StepStatus::kSuccess) << name;
  }
  ASSERT_TRUE(steps.contains("uuid"));
  EXPECT_EQ(run.output.value().AsString(),
            OutputOf(FromJson<int>(run.input), steps.at("uuid").output.value().AsString()));
  EXPECT_EQ(store.FindMessage(run.id)->state, MessageState::kArchived);

  const auto children = store.Workflows().Runs({.parent_id = run.id});
  ASSERT_THAT(children, SizeIs(1));
  EXPECT_EQ(children[0].status, RunStatus::kSuccess);
  EXPECT_EQ(NamesOf(StepsOf(store, children[0].id)), StepsOfSampleChild());

  ASSERT_TRUE(effects.contains(run.id));
  EXPECT_THAT(effects.at(run.id), UnorderedElementsAre(Pair("parent", 1), Pair("branch", 1)));
  ASSERT_TRUE(effects.contains(children[0].id));
  EXPECT_THAT(effects.at(children[0].id), ElementsAre(Pair("child", 1)));
  ASSERT_TRUE(bodies.contains(run.id));
  for (const auto& body : BodiesOfSample()) {
    EXPECT_TRUE(bodies.at(run.id).contains(body)) << body;
  }
}

}  // namespace pgqrs::testing
