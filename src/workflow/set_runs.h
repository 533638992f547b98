#ifndef PGQRS_WORKFLOW_SET_RUNS_H_
#define PGQRS_WORKFLOW_SET_RUNS_H_

#include <cstdint>
#include <list>
#include <vector>

#include "driver/driver.h"
#include "workflow/request.h"
#include "workflow/run_message.h"

namespace pgqrs::workflow {

// Carries out the requests of a group on runs with statements on sets, as far as these can: starts,
// records and ends of runs to which nothing else happens. The answers come with the commit.
class SetRuns {
 public:
  SetRuns(driver::Connection& connection, Effects& effects)
      : connection_(connection), effects_(effects) {}

  // Whether there is a statement on sets for such a request. Others go row by row.
  static bool CanTake(const RunRequest& request);

  // Locks all runs that the requests of a group want, in the order of their ids, where they would
  // not come in that order by themselves. Other transactions may want several of them too, as the
  // parents of children that end: so none waits for one that waits for it.
  void Lock(const std::vector<RunRequest*>& requests);

  // Sends the requests, which have to live until the commit, as this object has to.
  void Send(std::vector<RunRequest*> requests);

  // To be called after the commit: those that have to be run again, and row by row.
  std::vector<RunRequest*> Conclude();

 private:
  void SendStarts();
  void SendRecords();
  void NoteRecorded(const driver::Row& row);
  void SendFinishes();
  void ReadStart(const driver::Row& row);

  driver::Connection& connection_;
  Effects& effects_;
  std::vector<StartRequest*> starts_;
  std::vector<RecordRequest*> records_;
  std::vector<FinishRequest*> finishes_;
  std::vector<RunRequest*> unanswered_;
  std::list<driver::RowSink> sinks_;
};

}  // namespace pgqrs::workflow

#endif  // PGQRS_WORKFLOW_SET_RUNS_H_
