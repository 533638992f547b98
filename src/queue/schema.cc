#include "queue/schema.h"

#include <pgqrs/error.h>

#include <array>
#include <list>
#include <map>
#include <utility>

#include "queue/rows.h"
#include "util/json_check.h"
#include "util/show.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

constexpr std::string_view kMigrationsTable = "pgqrs_schema_migrations";
constexpr std::string_view kMigrationsColumns = "version,name,applied_at";

// Stops a report of damage from growing as large as the database.
constexpr std::size_t kMaxProblems = 100;

std::map<std::string, std::string> ListTables(driver::Connection& connection) {
  std::map<std::string, std::string> tables;
  connection.Run(Statement::kListTables, {}, [&](const driver::Row& row) {
    tables.emplace(row.Text(0), row.Text(1));
    return true;
  });
  return tables;
}

[[noreturn]] void ThrowForeign(const std::map<std::string, std::string>& tables) {
  std::string names;
  for (const auto& [name, columns] : tables) names += (names.empty() ? "" : ", ") + name;
  throw SchemaError("the database holds tables of another program under our names: " + names +
                    "; no table was touched");
}

// 0 where the migrations are not ours.
int InstalledVersion(driver::Connection& connection, std::string_view dialect) {
  const auto& known = sql::Migrations(dialect);
  std::int64_t version = 0;
  connection.Run(Statement::kListMigrations, {}, [&](const driver::Row& row) {
    version = row.Int(0);
    if (version < 1) {
      version = 0;
      return false;
    }
    if (version > static_cast<std::int64_t>(known.size())) {
      throw SchemaError("the schema of the database has version " + std::to_string(version) +
                        ", and this library knows up to version " + std::to_string(known.size()) +
                        "; use a newer pgqrs. Nothing was touched");
    }
    const auto& migration = known[static_cast<std::size_t>(version - 1)];
    if (row.Text(1) != migration.name) {
      throw SchemaError("migration " + std::to_string(version) + " of the database is \"" +
                        std::string(row.Text(1)) + "\", and not \"" + std::string(migration.name) +
                        "\"; no table was touched");
    }
    return true;
  });
  return static_cast<int>(version);
}

// What is damaged in a hot set that was read batch by batch.
class DamageReport {
 public:
  void Add(std::string problem) {
    if (problems_.size() < kMaxProblems) problems_.push_back(std::move(problem));
  }
  std::vector<std::string> Take() { return std::move(problems_); }

 private:
  std::vector<std::string> problems_;
};

// Compares one batch with everything that refers to it. It has to stay where it is until the
// answers are there.
class BatchCheck {
 public:
  BatchCheck(const BatchRow& batch, DamageReport& report)
      : batch_id_(batch.id),
        queue_id_(batch.queue_id),
        full_(FullMask(batch.n)),
        name_("batch " + std::to_string(batch.id)),
        report_(report) {
    if (!util::IsJsonArray(batch.payloads, static_cast<std::size_t>(batch.n))) {
      report_.Add(name_ + ": its payloads are no JSON array of its length");
    }
  }

  // The answers come with the next statement that is waited for.
  void Send(driver::Connection& connection) {
    const std::array<driver::Value, 2> keys = {queue_id_, batch_id_};
    connection.Send(Statement::kSlicesOfBatch, keys, slices_);
    connection.Send(Statement::kArchiveOfBatch, keys, archive_);
  }

  void Conclude() {
    if (seen_ == 0) report_.Add(name_ + " has no message in any state");
  }

  std::int64_t batch_id() const { return batch_id_; }

 private:
  void CheckPart(const std::string& what, Mask mask, std::int64_t n) {
    if (n != Count(mask)) {
      report_.Add(what + " counts " + util::ShowCount(n, "message") + " and has " +
                  std::to_string(Count(mask)));
    }
    if ((mask & ~full_) != 0) report_.Add(what + " has messages that " + name_ + " lacks");
    if ((mask & seen_) != 0) {
      report_.Add(what + " has messages of " + name_ + " that are elsewhere too");
    }
    seen_ |= mask;
  }

  const std::int64_t batch_id_;
  const std::int64_t queue_id_;
  const Mask full_;
  const std::string name_;
  DamageReport& report_;
  Mask seen_ = 0;
  const driver::RowSink slices_ = [this](const driver::Row& row) {
    const auto slice = ReadSlice(row);
    CheckPart("slice " + std::to_string(slice.id), slice.mask, row.Int(5));
    return true;
  };
  const driver::RowSink archive_ = [this](const driver::Row& row) {
    CheckPart("an archive row of " + name_, ReadArchiveRow(row).mask, row.Int(3));
    return true;
  };
};

void CheckBatches(driver::Connection& connection, DamageReport& report) {
  constexpr std::int64_t kPage = 256;
  std::int64_t last = 0;
  std::list<BatchCheck> checks;
  do {
    std::list<BatchCheck> next;
    connection.Run(Statement::kScanBatches, {last, kPage}, [&](const driver::Row& row) {
      next.emplace_back(ReadBatchRow(row), report);
      return true;
    });
    for (auto& check : checks) check.Conclude();
    checks = std::move(next);
    for (auto& check : checks) check.Send(connection);
    if (!checks.empty()) last = checks.back().batch_id();
  } while (!checks.empty());
}

}  // namespace

SchemaState InspectSchema(driver::Connection& connection, std::string_view dialect) {
  const auto tables = ListTables(connection);
  if (tables.empty()) return SchemaState::kMissing;
  const auto migrations = tables.find(std::string(kMigrationsTable));
  if (migrations == tables.end() || migrations->second != kMigrationsColumns) ThrowForeign(tables);
  const int version = InstalledVersion(connection, dialect);
  if (version == 0) ThrowForeign(tables);
  return version == static_cast<int>(sql::Migrations(dialect).size()) ? SchemaState::kCurrent
                                                                      : SchemaState::kOlder;
}

void InstallSchema(driver::Connection& connection, std::string_view dialect) {
  connection.LockForInstall();
  const auto state = InspectSchema(connection, dialect);
  if (state == SchemaState::kCurrent) return;
  const int installed = state == SchemaState::kMissing ? 0 : InstalledVersion(connection, dialect);
  connection.RunScript(sql::Text(dialect, Statement::kCreateMigrations));
  for (const auto& migration : sql::Migrations(dialect)) {
    if (migration.version <= installed) continue;
    connection.RunScript(migration.text);
    connection.Run(Statement::kInsertMigration,
                   {std::int64_t{migration.version}, migration.name, ToMicros(connection.Now())});
  }
}

std::vector<std::string> FindDamage(driver::Connection& connection, std::string_view dialect) {
  DamageReport report;
  if (InspectSchema(connection, dialect) != SchemaState::kCurrent) {
    report.Add("the schema is missing or older than this library");
    return report.Take();
  }
  // Before anything is held: it has a connection of its own, which may wait for who waits for us.
  for (auto& difference : connection.CompareSchema()) report.Add(std::move(difference));
  // What follows is as of one moment.
  connection.Rollback();
  connection.Begin();
  HoldSlices(connection);
  connection.Run(Statement::kIntegrityCheck, {}, [&](const driver::Row& row) {
    if (row.Text(0) != "ok") report.Add("integrity check: " + std::string(row.Text(0)));
    return true;
  });
  connection.Run(Statement::kFindOrphans, {}, [&](const driver::Row& row) {
    report.Add(std::string(row.Text(0)) + " " + std::to_string(row.Int(1)) + ": " +
               std::string(row.Text(2)));
    return true;
  });
  CheckBatches(connection, report);
  return report.Take();
}

}  // namespace pgqrs::queue
