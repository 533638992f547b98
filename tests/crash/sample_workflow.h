// A workflow with a step of each kind, whose effects can be counted.
#ifndef PGQRS_TESTS_CRASH_SAMPLE_WORKFLOW_H_
#define PGQRS_TESTS_CRASH_SAMPLE_WORKFLOW_H_

#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pgqrs::testing {

// What bodies of steps note, in a file that outlives the processes and that they share.
class BodyNotes {
 public:
  explicit BodyNotes(std::string path) : path_(std::move(path)) {}

  void Add(std::int64_t run_id, const std::string& name) const;
  bool Contain(std::int64_t run_id, const std::string& name) const;
  // How often each body was called, by its run and its name.
  using Counts = std::map<std::int64_t, std::map<std::string, int>>;
  Counts Read() const;

 private:
  std::string path_;
};

// Called at each boundary of the steps: before and after each body, and behind each step.
using AtBoundary = std::function<void(const std::string& name)>;

// "sample" and its child "sample_child". A run waits for an event "go", and its output is that of
// OutputOf. Its transactions write a table that MakeEffects makes.
struct SampleWorkflows {
  Workflow<int, std::string> parent;
  Workflow<int, int> child;
};
SampleWorkflows DefineSample(
    const BodyNotes& notes, AtBoundary at = [](const std::string&) {});

std::string OutputOf(int input, const std::string& uuid);

// The steps of a finished run that was not disturbed, and what bodies note in it.
const std::set<std::string>& StepsOfSample();
const std::set<std::string>& StepsOfSampleChild();
const std::set<std::string>& BodiesOfSample();

void MakeEffects(PgqrsStore& store);

// How often each effect happened, by run and place. (By a transaction of a workflow, which works on
// every backend.)
using Effects = std::map<std::int64_t, std::map<std::string, int>>;
Effects CountEffects(PgqrsStore& store);

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CRASH_SAMPLE_WORKFLOW_H_
