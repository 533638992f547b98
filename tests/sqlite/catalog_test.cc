#include "sql/catalog.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "driver/sqlite/sqlite_handle.h"
#include "sql/embedded.h"
#include "sqlite/sqlite_test.h"

namespace pgqrs::testing {
namespace {

using sql::Statement;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::UnorderedElementsAreArray;

// The value of the first parameter, where it is an integer, of other integers, and of texts.
struct Parameters {
  std::int64_t first;
  std::int64_t number;
  std::string text;
};

// Whether the dialect has the statement: those with arrays are there only for databases that work
// on sets.
bool IsIn(std::string_view dialect, const sql::StatementInfo& info) {
  constexpr auto kOnlyOnPostgres = std::to_array<std::string_view>(
      {"EnqueueBatch", "DropOldestPartition", "HoldSlices", "MayCompactSlices", "CompactSlices"});
  if (info.name == "CreateViewTrigger") return dialect == "sqlite";
  return dialect == "postgres" ||
         (info.parameters.find_first_of("IZTJ") == std::string_view::npos &&
          std::find(kOnlyOnPostgres.begin(), kOnlyOnPostgres.end(), info.name) ==
              kOnlyOnPostgres.end());
}

// A database in which every id, time and priority is 1, so that queries with such parameters find
// something; and in which something is wrong, for those that look for that.
class Catalog : public SqliteTest {
 protected:
  Catalog() {
    config().clock = [] { return TimePoint(Duration(1)); };
    {
      auto store = Open();
      auto queue = store.Queue("jobs");
      store.Queue("closed");
      const std::vector<Json> payloads(6, "x");
      queue.EnqueueBatch(payloads, {.priority = 1});
      auto consumer = queue.NewConsumer();
      auto taken = queue.DequeueBatch(5);
      taken[0].Ack();
      taken[1].DeadLetter("broken");
      taken[2].Release(Duration::zero(), "failed");
    }
    Shell().Execute(
        "UPDATE pgqrs_queues SET deleted_at = 1, queue_name = NULL WHERE queue_name = 'closed';"
        "UPDATE pgqrs_slices SET lease_token = 7, worker_id = 1 WHERE last_error IS NULL;"
        "INSERT INTO pgqrs_slices (id, queue_id, priority, visible_at, mask, n) "
        "VALUES (6400, 1, 1, 1, 1, 1);"
        "INSERT INTO pgqrs_batches (id, queue_id, n, enqueued_at, payloads) "
        "VALUES (1000000, 1, 1, 1, '[0]');"
        "INSERT INTO pgqrs_queues (id, queue_name, created_at) VALUES (0, 'zero', 1);"
        "INSERT INTO pgqrs_workflows (id, created_at) VALUES (1, 1);"
        "INSERT INTO pgqrs_workflow_runs (id, queue_id, status, epoch, idempotency_key, priority,"
        "  parent_id, pause_requested, waits_for_children, input, error, created_at, updated_at,"
        "  finished_at) VALUES (1, 1, 0, 1, NULL, 1, 1, 0, 0, '1', NULL, 1, 1, NULL),"
        "  (2, 1, 0, 1, 'jobs', 1, 1, 0, 0, '1', '1', 1, 1, NULL),"
        "  (3, 1, 3, 1, NULL, 1, 1, 0, 0, '1', NULL, 1, 1, 0),"
        "  (4, 1, 3, 1, NULL, 1, 1, 0, 0, '1', NULL, 1, 1, 0),"
        "  (5, 1, 5, 1, NULL, 1, 1, 0, 0, '1', NULL, 1, 1, NULL),"
        "  (-1, 0, 0, 1, 'batch', 1, 1, 0, 0, '1', '1', 1, 1, NULL);"
        "INSERT INTO pgqrs_workflow_steps (id, run_id, name, ordinal, position, kind, status, "
        "epoch,"
        "  attempts, output, error, child_id, created_at, updated_at) VALUES"
        "  (2, 1, 'jobs', 1, 1, 1, 0, 1, 1, '1', '1', 1, 1, 1),"
        "  (3, 1, 'child', 1, 1, 6, 3, 1, 1, '1', '1', 2, 1, 1);"
        "INSERT INTO pgqrs_workflow_events (run_id, name, payload, sent_at)"
        "  VALUES (1, 'jobs', '1', 1)");
    database_ = driver::OpenSqlite(path(), driver::IfNoFile::kCreate);
  }

  driver::SqliteStatement Prepare(const sql::StatementInfo& info) {
    const auto index = static_cast<std::size_t>(&info - sql::kCatalog.data());
    const auto text = sql::Text("sqlite", static_cast<Statement>(index));
    return driver::PrepareSqlite(database_.get(), text, info.name);
  }

  // Runs a statement, takes back what it did, and gives SQLite's last code.
  int Run(const sql::StatementInfo& info, const Parameters& parameters, bool& found_row) {
    driver::ExecuteSqlite(database_.get(), "BEGIN", info.name);
    auto statement = Prepare(info);
    for (int i = 0; i < static_cast<int>(info.parameters.size()); ++i) {
      const char letter = info.parameters[static_cast<std::size_t>(i)];
      if (letter == 't' || letter == 'j') {
        sqlite3_bind_text(statement.get(), i + 1, parameters.text.c_str(), -1, SQLITE_TRANSIENT);
      } else {
        sqlite3_bind_int64(statement.get(), i + 1, i == 0 ? parameters.first : parameters.number);
      }
    }
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
      found_row = true;
      CheckRow(statement.get(), info);
    }
    statement.reset();
    driver::ExecuteSqlite(database_.get(), "ROLLBACK", info.name);
    return code;
  }

  // What SQLite says about how it will run a statement.
  std::vector<std::string> PlanOf(Statement statement) {
    const auto text = "EXPLAIN QUERY PLAN " + std::string(sql::Text("sqlite", statement));
    std::vector<std::string> plan;
    for (const auto& row : Shell().Query(text)) plan.push_back(row.at(3));
    return plan;
  }

  void ExpectGoodPlan(Statement statement) {
    const auto plan = PlanOf(statement);
    EXPECT_THAT(plan, Each(Not(HasSubstr("TEMP B-TREE"))));
    EXPECT_THAT(plan, Contains(AnyOf(HasSubstr("USING INDEX"), HasSubstr("USING COVERING INDEX"),
                                     HasSubstr("USING INTEGER PRIMARY KEY"))));
    for (const auto& step : plan) {
      EXPECT_FALSE(step.ends_with("(queue_id=?)"))
          << sql::Info(statement).name << " reads all of a queue: " << step;
      // Walking over a constant list is no scan of a table.
      const bool is_scan = step.starts_with("SCAN") && !step.ends_with("VIRTUAL TABLE INDEX 1:") &&
                           !step.starts_with("SCAN (subquery");
      EXPECT_FALSE(is_scan) << sql::Info(statement).name << ": " << step;
    }
  }

 private:
  static void CheckRow(sqlite3_stmt* statement, const sql::StatementInfo& info) {
    for (int i = 0; i < static_cast<int>(info.columns.size()); ++i) {
      const int type = sqlite3_column_type(statement, i);
      if (type == SQLITE_NULL) continue;
      const char letter = info.columns[static_cast<std::size_t>(i)];
      const int declared = letter == 'i' || letter == 'z' ? SQLITE_INTEGER : SQLITE_TEXT;
      EXPECT_EQ(type, declared) << info.name << ", column " << i;
    }
  }

  driver::SqliteHandle database_;
};

TEST_F(Catalog, EveryStatementPreparesWithTheDeclaredCounts) {
  for (const auto& info : sql::kCatalog) {
    if (!IsIn("sqlite", info)) continue;
    const auto statement = Prepare(info);
    EXPECT_EQ(sqlite3_bind_parameter_count(statement.get()),
              static_cast<int>(info.parameters.size()))
        << info.name;
    EXPECT_EQ(sqlite3_column_count(statement.get()), static_cast<int>(info.columns.size()))
        << info.name;
    EXPECT_EQ((std::string(info.parameters) + std::string(info.columns)).find_first_not_of("iztj"),
              std::string::npos)
        << info.name;
  }
}

TEST_F(Catalog, EveryColumnHasTheDeclaredType) {
  const std::vector<Parameters> all = {{.first = 1, .number = 1, .text = "jobs"},
                                       {.first = 0, .number = 1, .text = "batch"},
                                       {.first = 1, .number = 1'000'000, .text = "jobs"},
                                       {.first = 1, .number = 1, .text = "[1, 3]"}};
  for (const auto& info : sql::kCatalog) {
    if (!IsIn("sqlite", info)) continue;
    bool found_row = false;
    bool has_succeeded = false;
    for (const auto& parameters : all) {
      const int code = Run(info, parameters, found_row);
      EXPECT_NE(code, SQLITE_CONSTRAINT_DATATYPE) << info.name;
      if (code == SQLITE_DONE) has_succeeded = true;
    }
    // A table that is there already, or an id that is taken, is refused for another reason.
    const bool inserts = info.name.starts_with("Insert");
    EXPECT_TRUE(has_succeeded || inserts) << info.name;
    EXPECT_EQ(found_row, !info.columns.empty()) << info.name;
  }
}

// The names of all sections of a dialect's files.
std::vector<std::string> SectionsOf(std::string_view dialect) {
  constexpr std::string_view kMark = "-- name: ";
  std::vector<std::string> sections;
  for (const auto& file : sql::EmbeddedFiles()) {
    if (!file.path.starts_with(std::string(dialect) + "/")) continue;
    std::istringstream lines{std::string(file.text)};
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(kMark)) continue;
      std::istringstream names(line.substr(kMark.size()));
      for (std::string name; std::getline(names >> std::ws, name, ',');) sections.push_back(name);
    }
  }
  return sections;
}

class CatalogText : public ::testing::TestWithParam<std::string_view> {};
INSTANTIATE_TEST_SUITE_P(Dialects, CatalogText, ::testing::Values("sqlite", "postgres"));

TEST_P(CatalogText, EverySectionOfTheFilesIsInTheCatalogueOnce) {
  std::vector<std::string> names;
  for (const auto& info : sql::kCatalog) {
    if (IsIn(GetParam(), info)) names.emplace_back(info.name);
  }
  EXPECT_THAT(SectionsOf(GetParam()), UnorderedElementsAreArray(names));
}

TEST_P(CatalogText, MigrationsAreNumberedFromOneWithoutGaps) {
  int expected = 0;
  for (const auto& migration : sql::Migrations(GetParam())) {
    EXPECT_EQ(migration.version, ++expected);
    EXPECT_THAT(migration.text, Not(IsEmpty()));
  }
  EXPECT_GT(expected, 0);
}

constexpr auto kHotStatements =
    std::to_array({Statement::kNextSlices, Statement::kSlicesOfBatch, Statement::kNextVisible,
                   Statement::kLockSlicesBehind, Statement::kListFinished, Statement::kListDead,
                   Statement::kFindBatch, Statement::kQueueIsOpen, Statement::kArchiveOfBatch,
                   Statement::kDeleteUnusedBatch, Statement::kUpdateSlice, Statement::kShrinkSlice,
                   Statement::kDeleteSlice, Statement::kShrinkArchive, Statement::kDeleteArchive,
                   Statement::kSetPayloads});

TEST_F(Catalog, HotStatementsReadNoMoreThanTheyNeed) {
  for (const auto statement : kHotStatements) ExpectGoodPlan(statement);
}

TEST_F(Catalog, ListingsOfRunsWalkAnIndexInTheirOrder) {
  for (const auto statement :
       {Statement::kListRuns, Statement::kListRunsDown, Statement::kListRunsOfQueue,
        Statement::kListRunsOfQueueDown, Statement::kListRunsOfParent,
        Statement::kListRunsOfParentDown, Statement::kListUnfinishedRuns,
        Statement::kListUnfinishedRunsDown, Statement::kListFailedRuns,
        Statement::kListFailedRunsDown, Statement::kFindRunsByKey, Statement::kFindRuns,
        Statement::kUnfinishedChildren, Statement::kCancellingChild, Statement::kListSteps}) {
    ExpectGoodPlan(statement);
  }
}

// All that was taken at once has the same end of its lease.
TEST_F(Catalog, AWalkGoesOnInTheMiddleOfSlicesOfOneTime) {
  EXPECT_THAT(PlanOf(Statement::kLockSlicesBehind),
              Contains(HasSubstr("visible_at=? AND rowid>?")));
}

// Statistics must not lead the planner to another plan, not even those of small tables.
TEST_F(Catalog, HotStatementsKeepTheirPlansAfterAnalyze) {
  Shell().Execute(
      "INSERT INTO pgqrs_batches SELECT value, 1, 1, 1, 1, '[1]' FROM json_each('[70, 71, 72]');"
      "ANALYZE");
  for (const auto statement : kHotStatements) ExpectGoodPlan(statement);
}

}  // namespace
}  // namespace pgqrs::testing
