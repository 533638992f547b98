// Every statement that pgqrs runs, with the types of its parameters and result columns.
//
// The text of a statement lies in sql/<dialect>/*.sql, in the section that begins with
// `-- name: <Name>`. A test prepares each of them on a real database and compares the counts.
#ifndef PGQRS_SQL_CATALOG_H_
#define PGQRS_SQL_CATALOG_H_

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace pgqrs::sql {

// clang-format off
// Name, parameters, result columns: `i` is a 64-bit integer, `t` is text.
#define PGQRS_STATEMENTS(V)                                        \
  V(ListTables,             "",              "tt")                 \
  V(ListMigrations,         "",              "it")                 \
  V(InsertMigration,        "iti",           "")                   \
  V(CreateMigrations,       "",              "")                   \
  V(IntegrityCheck,         "",              "t")                  \
  V(FindOrphans,            "",              "tit")                \
  V(FindQueue,              "t",             "iti")                \
  V(InsertQueue,            "ti",            "iti")                \
  V(QueueIsOpen,            "i",             "i")                  \
  V(ListQueues,             "",              "iti")                \
  V(CloseQueue,             "ii",            "")                   \
  V(ListClosedQueues,       "",              "i")                  \
  V(RemoveQueue,            "i",             "")                   \
  V(ReserveIds,             "ti",            "i")                  \
  V(InsertBatch,            "iiiiit",        "")                   \
  V(FindBatch,              "i",             "iiiiit")             \
  V(SetPayloads,            "it",            "")                   \
  V(DeleteUnusedBatch,      "ii",            "")                   \
  V(CountEnqueuedSince,     "iii",           "iii")                \
  V(ScanBatches,            "ii",            "iiiiit")             \
  V(InsertSlice,            "iiiiiiiiiit",   "")                   \
  V(UpdateSlice,            "iiiiiiiit",     "")                   \
  V(ShrinkSlice,            "iii",           "")                   \
  V(DeleteSlice,            "i",             "")                   \
  V(NextSlices,             "iiii",          "iiiiiiiiiitiit")     \
  V(SlicesOfBatch,          "i",             "iiiiiiiiiit")        \
  V(NextVisible,            "i",             "i")                  \
  V(SlicesBehind,           "iiiii",         "iiiiiiiiiit")        \
  V(SlicesOfQueue,          "ii",            "iiiiiiiiiit")        \
  V(CountSlices,            "ii",            "iiiii")              \
  V(InsertArchive,          "iiiiiiiiiitt",  "")                   \
  V(ArchiveOfBatch,         "ii",            "iiiiiiiiiiitt")      \
  V(ListFinished,           "iii",           "iiiiiiiiiiitt")      \
  V(ListDead,               "iii",           "iiiiiiiiiiitt")      \
  V(CountFinishedFromNewest, "iii",          "ii")                 \
  V(ArchiveOfQueue,         "ii",            "iiiiiiiiiiitt")      \
  V(ShrinkArchive,          "iii",           "")                   \
  V(DeleteArchive,          "i",             "")                   \
  V(CountArchive,           "i",             "ii")                 \
  V(CountDead,              "i",             "i")                  \
  V(CountFinishedSince,     "iii",           "iii")                \
  V(InsertWorker,           "tiii",          "i")                  \
  V(FindWorker,             "i",             "itiiii")             \
  V(ListWorkers,            "",              "itiiii")             \
  V(SetWorkerStatus,        "iii",           "")                   \
  V(Heartbeat,              "ii",            "")                   \
  V(LiveWorkersOfQueue,     "ii",            "i")                  \
  V(DeleteWorker,           "i",             "")                   \
  V(DeleteStoppedWorker,    "ii",            "")                   \
  V(DeleteWorkersOfQueue,   "i",             "")
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

// The text of a statement in a dialect ("sqlite"). Valid for the life of the program.
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
