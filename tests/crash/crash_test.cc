#include "crash/crash_test.h"

#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "support/postgres_shell.h"
#include "support/sqlite_shell.h"

namespace pgqrs::testing {
namespace {

struct Stored {
  std::string payload;
  std::string state;
};

// Id, payload and state of each, by the library itself.
std::vector<std::vector<std::string>> ListMessages(const std::string& dsn) {
  std::vector<std::vector<std::string>> rows;
  auto store = PgqrsStore::Connect(dsn);
  Page page{.after_id = 0, .limit = 10'000};
  for (auto messages = store.Admin().Messages(page); !messages.empty();
       messages = store.Admin().Messages(page)) {
    for (const auto& message : messages) {
      rows.push_back({std::to_string(message.id), message.payload.text(),
                      message.state == MessageState::kArchived ? "archived" : "other"});
    }
    page.after_id = messages.back().id;
  }
  return rows;
}

// No other program can look into a file of Turso: SQLite, to begin with, would repair it first.
std::vector<std::vector<std::string>> Query(const std::string& dsn, const std::string& sql) {
  if (dsn.starts_with("turso:")) return ListMessages(dsn);
  const std::string sqlite = "sqlite://";
  if (dsn.starts_with(sqlite)) return SqliteShell(dsn.substr(sqlite.size())).Query(sql);
  return PostgresShell(dsn).Query(sql);
}

// All messages at one moment. The schema may be missing yet.
std::map<std::int64_t, Stored> ReadMessages(const std::string& dsn) {
  std::map<std::int64_t, Stored> messages;
  std::set<std::string> payloads;
  for (const auto& row : Query(dsn, "SELECT id, payload, state FROM pgqrs_messages")) {
    const auto id = std::stoll(row.at(0));
    EXPECT_TRUE(messages.emplace(id, Stored{row.at(1), row.at(2)}).second)
        << "message " << id << " is there twice";
    EXPECT_TRUE(payloads.insert(row.at(1)).second) << row.at(1) << " was stored twice";
  }
  return messages;
}

}  // namespace

Process CrashTest::Start(const std::string& role, std::vector<std::string> more) {
  ++started_;
  std::vector<std::string> arguments = {"--child", role, role == "do" ? database() : dsn()};
  if (role != "do") arguments.push_back(LastJournal());
  arguments.insert(arguments.end(), more.begin(), more.end());
  return Process(std::move(arguments));
}

std::string CrashTest::LastJournal() const {
  return folder_.File(std::to_string(started_) + ".journal");
}

PgqrsStore CrashTest::Open(Duration ahead) const {
  Config config(dsn());
  config.max_read_ct = 1000;
  config.clock = [ahead] {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()) + ahead;
  };
  return PgqrsStore::Connect(config);
}

void CrashTest::AwaitFirstNote(Process& process) const {
  const std::filesystem::path journal = LastJournal();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  std::error_code not_there_yet;
  while (std::chrono::steady_clock::now() < deadline && !process.HasEnded()) {
    const auto size = std::filesystem::file_size(journal, not_there_yet);
    if (!not_there_yet && size > 0) return;
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  FAIL() << "the process wrote nothing";
}

void CrashTest::CheckAgainstJournals() const {
  const auto journals = ReadJournals();
  journals.CheckDeliveries();
  const auto stored = ReadMessages(dsn());
  for (const auto& [id, payload] : journals.enqueued) {
    const auto found = stored.find(id);
    ASSERT_NE(found, stored.end()) << "message " << id << " is lost";
    EXPECT_EQ(found->second.payload, payload);
  }
  for (const auto& [id, read_count] : journals.acked) {
    const auto found = stored.find(id);
    ASSERT_NE(found, stored.end()) << "message " << id << " is lost";
    EXPECT_EQ(found->second.state, "archived") << "message " << id << ", whose ack was true";
  }
  auto store = Open();
  EXPECT_NO_THROW(store.Admin().Verify());
}

void CrashTest::Drain() {
  auto store = Open(std::chrono::hours(1));
  auto queue = store.Queue("jobs");
  JournalWriter journal(folder_.File("drain.journal"));
  for (auto messages = queue.DequeueBatch(1000); !messages.empty();
       messages = queue.DequeueBatch(1000)) {
    journal.Taken(messages);
    const auto answers = store.Ack(messages);
    for (std::size_t i = 0; i < messages.size(); ++i) {
      EXPECT_TRUE(answers[i]);
      journal.Acked(messages[i]);
    }
  }
  const auto metrics = queue.Metrics();
  EXPECT_EQ(metrics.waiting + metrics.delayed + metrics.leased + metrics.dead, 0);
}

}  // namespace pgqrs::testing
