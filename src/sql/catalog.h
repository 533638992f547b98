// Every statement that pgqrs runs, with the types of its parameters and result columns.
//
// The text of a statement lies in sql/<dialect>/*.sql, in the section that begins with
// `-- name: <Name>` (or several names, with commas, that share it). A test prepares each of them on
// a real database and compares the counts.
#ifndef PGQRS_SQL_CATALOG_H_
#define PGQRS_SQL_CATALOG_H_

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace pgqrs::sql {

// clang-format off
// Name, parameters, result columns: `i` is a 64-bit integer, `z` a time (also such an integer:
// microseconds since the epoch), `t` text, `j` JSON text; a capital is an array of such. A Lock… is
// its namesake without "Lock" for rows that are about to be changed. Those with arrays are there
// only where the database works on sets, and have no text elsewhere; nor have EnqueueBatch, which is
// one of them for a set of one, DropOldestPartition, HoldSlices, MayCompactSlices and CompactSlices.
// CreateViewTrigger is there only for SQLite.
#define PGQRS_STATEMENTS(V)                                         \
  V(ListTables,              "",             "tt")                  \
  V(DescribeSchema,          "",             "ttt")                 \
  V(ListMigrations,          "",             "it")                  \
  V(InsertMigration,         "itz",          "")                    \
  V(CreateMigrations,        "",             "")                    \
  V(CreateViewTrigger,       "",             "")                    \
  V(IntegrityCheck,          "",             "t")                   \
  V(FindOrphans,             "",             "tit")                 \
  V(FindQueue,               "t",            "itz")                 \
  V(InsertQueue,             "tz",           "itz")                 \
  V(QueueIsOpen,             "i",            "i")                   \
  V(ListQueues,              "",             "itz")                 \
  V(CloseQueue,              "iz",           "")                    \
  V(NextClosedQueue,         "i",            "i")                   \
  V(RemoveQueue,             "i",            "")                    \
  V(ReserveBatchIds,         "i",            "ii")                  \
  V(ReserveLeaseTokens,      "i",            "ii")                  \
  V(InsertBatch,             "iiizij",       "")                    \
  V(FindBatch,               "i",            "iiizij")              \
  V(QueueOfBatch,            "i",            "i")                   \
  V(LockBatch,               "ii",           "iiizij")              \
  V(SetPayloads,             "iij",          "")                    \
  V(DeleteUnusedBatch,       "ii",           "i")                   \
  V(CountEnqueuedSince,      "izi",          "izi")                 \
  V(ScanBatches,             "ii",           "iiizij")              \
  V(InsertSlice,             "iiiziiiiizt",  "")                    \
  V(UpdateSlice,             "iiziiiiizt",   "")                    \
  V(ShrinkSlice,             "iiii",         "")                    \
  V(DeleteSlice,             "ii",           "")                    \
  V(NextSlices,              "iizi",         "iiiziiiiiztzij")      \
  V(SlicesOfBatch,           "ii",           "iiiziiiiizt")         \
  V(LockSlicesOfBatch,       "ii",           "iiiziiiiizt")         \
  V(NextVisible,             "i",            "z")                   \
  V(LockSlicesBehind,        "iizii",        "iiiziiiiizt")         \
  V(LockSlicesOfQueue,       "ii",           "iiiziiiiizt")         \
  V(CountSlices,             "iz",           "iiiii")               \
  V(InsertArchive,           "iiiiiiiizztt", "")                    \
  V(ArchiveOfBatch,          "ii",           "iiiiiiiizztt")        \
  V(LockArchiveOfBatch,      "ii",           "iiiiiiiizztt")        \
  V(ListFinished,            "iii",          "iiiiiiiizztt")        \
  V(LockFinished,            "iii",          "iiiiiiiizztt")        \
  V(ListDead,                "iii",          "iiiiiiiizztt")        \
  V(LockDead,                "iii",          "iiiiiiiizztt")        \
  V(CountFinishedFromNewest, "iii",          "ii")                  \
  V(LockArchiveOfQueue,      "ii",           "iiiiiiiizztt")        \
  V(ShrinkArchive,           "iiiii",        "")                    \
  V(DeleteArchive,           "iii",          "")                    \
  V(CountArchive,            "i",            "ii")                  \
  V(CountDead,               "i",            "i")                   \
  V(CountFinishedSince,      "izi",          "izi")                 \
  V(InsertWorker,            "tiiz",         "i")                   \
  V(FindWorker,              "i",            "itiizz")              \
  V(ListWorkers,             "",             "itiizz")              \
  V(SetWorkerStatus,         "iiz",          "")                    \
  V(Heartbeat,               "iz",           "")                    \
  V(LiveWorkersOfQueue,      "iz",           "i")                   \
  V(DeleteWorker,            "i",            "")                    \
  V(DeleteStoppedWorker,     "iz",           "")                    \
  V(DeleteWorkersOfQueue,    "i",            "")                    \
  V(InsertWorkflow,          "iz",              "")                   \
  V(FindWorkflow,            "t",               "itz")                \
  V(ListWorkflows,           "",                "itz")                \
  V(IsWorkflow,              "i",               "i")                  \
  V(DeleteWorkflow,          "i",               "")                   \
  V(InsertRun,               "iiitiititz",      "i")                  \
  V(LockRun,                 "i",               "iiiiiitiiitizzz")    \
  V(PeekRun,                 "i",               "iiiiiitiiitizzz")    \
  V(UpdateRun,               "iiiiiitizzz",     "")                   \
  V(SetRunResult,            "itt",             "")                   \
  V(FindRunTexts,            "i",               "tttii")              \
  V(FindRunByKey,            "it",              "i")                  \
  V(UnfinishedChildren,      "iii",             "i")                  \
  V(CancellingChild,         "i",               "i")                  \
  V(ChildrenToCancel,        "iiii",            "i")                  \
  V(RecordStep,              "itiiiiiitttzziz", "i")                  \
  V(FindStep,                "iti",             "iiiit")              \
  V(StepsOfRun,              "i",               "tiiiiiittzzi")       \
  V(EndChildStep,            "itiiittzi",       "i")                  \
  V(HasEndedChild,           "ii",              "i")                  \
  V(ResetFailedSteps,        "iz",              "")                   \
  V(CopySteps,               "iitiz",           "")                   \
  V(DeleteStepsOfRun,        "i",               "i")                  \
  V(InsertEvent,             "ittz",            "")                   \
  V(OldestEvent,             "it",              "it")                 \
  V(HasEvent,                "it",              "i")                  \
  V(DeleteEvent,             "i",               "")                   \
  V(DeleteEventsOfRun,       "i",               "")                   \
  V(DeleteRun,               "i",               "")                   \
  V(RunsOfQueue,             "ii",              "i")                  \
  V(NthFinishedRun,          "ii",              "zi")                 \
  V(LockFinishedRuns,        "izii",            "i")                  \
  V(FindRuns,                "t",               "iitiitiiiitttzzzz")  \
  V(EndedRuns,               "t",               "i")                  \
  V(ListRuns,                  "iiizzii",         "i")                \
  V(ListRunsDown,              "iiizzii",         "i")                \
  V(ListRunsOfQueue,           "iiizzii",         "i")                \
  V(ListRunsOfQueueDown,       "iiizzii",         "i")                \
  V(ListRunsOfParent,          "iiizzii",         "i")                \
  V(ListRunsOfParentDown,      "iiizzii",         "i")                \
  V(ListUnfinishedRuns,        "iiizzii",         "i")                \
  V(ListUnfinishedRunsDown,    "iiizzii",         "i")                \
  V(ListFailedRuns,            "iiizzii",         "i")                \
  V(ListFailedRunsDown,        "iiizzii",         "i")                \
  V(FindRunsByKey,             "tiiizz",          "i")                \
  V(CountRuns,               "iitizz",          "i")                  \
  V(ListSteps,               "itizziiz",        "iitiiiiitttzzizz")   \
  V(ListStepsOfRun,          "itizziiz",        "iitiiiiitttzzizz")   \
  V(AckSlices,               "IIIIIz",       "iiiii")               \
  V(EnqueueBatch,            "iiijiziiz",    "iz")                  \
  V(EnqueueBatches,          "iIIJiziiz",    "iz")                  \
  V(EnqueueBatchesAgain,     "iIIJiziiz",    "iz")                  \
  V(DropOldestPartition,     "izi",          "i")                   \
  V(HoldSlices,              "",             "")                    \
  V(MayCompactSlices,        "i",            "i")                   \
  V(CompactSlices,           "i",            "")                    \
  V(EnqueueForCaller,        "tJiii",        "i")                   \
  V(InsertRuns,              "IIIITz",       "")                    \
  V(LockRuns,                "I",            "i")                    \
  V(StartRuns,               "IIIIz",        "iiizittiiiiiittzzi")  \
  V(RecordSteps,             "IITIIIIITTTZZz", "iti")               \
  V(FinishRuns,              "IIIITTz",      "iii")                 \
  V(TakeMessages,            "iIIIIziZi",    "iiiiizzijziz")        \
  V(FindAcked,               "IIIII",        "iiiii")               \
  V(FindStored,              "iI",           "iz")                  \
  V(RetakeMessages,          "iII",          "iiiiizzijziz")
// clang-format on

enum class Statement : std::size_t {
#define PGQRS_NAME(name, parameters, columns) k##name,
  PGQRS_STATEMENTS(PGQRS_NAME)
#undef PGQRS_NAME
};

struct StatementInfo {
  std::string_view name;
  std::string_view parameters;
  std::string_view columns;
};

inline constexpr auto kCatalog = std::to_array<StatementInfo>({
#define PGQRS_INFO(name, parameters, columns) {#name, parameters, columns},
    PGQRS_STATEMENTS(PGQRS_INFO)
#undef PGQRS_INFO
});

constexpr const StatementInfo& Info(Statement statement) {
  return kCatalog[static_cast<std::size_t>(statement)];
}

// The text of a statement in a dialect ("sqlite" or "postgres"). Valid for the life of the program.
std::string_view Text(std::string_view dialect, Statement statement);

struct Migration {
  int version;
  std::string_view name;
  std::string_view text;
};

// The migrations of a dialect, by version from 1 on without gaps.
const std::vector<Migration>& Migrations(std::string_view dialect);

}  // namespace pgqrs::sql

#endif  // PGQRS_SQL_CATALOG_H_
