#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "fault/fault_test.h"
#include "support/faulty_disk.h"
#include "support/seed.h"
#include "support/temp_folder.h"

namespace pgqrs::testing {
namespace {

using Files = std::map<std::string, std::string>;

void Apply(const IoRecord& record, Files& files) {
  switch (record.kind) {
    case IoRecord::Kind::kCreate:
      files[record.file];
      return;
    case IoRecord::Kind::kWrite: {
      auto& file = files[record.file];
      const auto end = static_cast<std::size_t>(record.offset) + record.data.size();
      if (file.size() < end) file.resize(end);
      std::copy(record.data.begin(), record.data.end(), file.begin() + record.offset);
      return;
    }
    case IoRecord::Kind::kTruncate:
      files[record.file].resize(static_cast<std::size_t>(record.offset));
      return;
    case IoRecord::Kind::kDelete:
      files.erase(record.file);
      return;
    case IoRecord::Kind::kSync:
      return;
  }
}

// What is on the disk when the power goes after these records: of each file everything up to its
// last sync, and, of what came later, nothing or a random part, in its order. A file that was made
// since the last sync of the folder may be gone.
Files LeftOnDisk(std::span<const IoRecord> records, Seeded& random) {
  std::map<std::string, std::size_t> synced;  // The number of records, by file.
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].kind == IoRecord::Kind::kSync) synced[records[i].file] = i;
  }
  const bool some_more = random.Coin();
  Files files;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto& record = records[i];
    const auto last_sync = synced.find(record.file);
    const bool is_synced = last_sync != synced.end() && i < last_sync->second;
    // SQLite syncs the folder when it deletes.
    const bool is_durable = is_synced || record.kind == IoRecord::Kind::kDelete;
    if (is_durable || (some_more && random.Coin())) Apply(record, files);
  }
  const auto last_folder_sync = synced.find("");
  for (std::size_t i = last_folder_sync == synced.end() ? 0 : last_folder_sync->second;
       i < records.size(); ++i) {
    if (records[i].kind == IoRecord::Kind::kCreate && random.Coin()) files.erase(records[i].file);
  }
  return files;
}

// What the store had answered when so many records were there.
struct Acknowledged {
  std::size_t records;
  std::int64_t id;
  bool is_ack;
};

class PowerLoss : public EachBackend {
 protected:
  // Records the work of a store. Once it is open its `failing_sync`-th sync fails; 0: none.
  void Work(std::int64_t failing_sync = 0) {
    acknowledged_.clear();
    disk().Record();
    TempFolder folder;
    auto store = PgqrsStore::Connect(DsnFor(folder));
    auto queue = store.Queue("jobs");
    opened_ = disk().RecordCount();
    if (failing_sync > 0) disk().Fail(IoCall::kSync, failing_sync);
    for (int i = 0; i < 60; ++i) {
      try {
        Note(queue.Enqueue("one"), false);
        for (const auto id : queue.EnqueueBatch(LargeBatch())) Note(id, false);
        for (auto& message : queue.DequeueBatch(3)) {
          if (message.Ack()) Note(message.id(), true);
        }
      } catch (const InternalError& error) {
        EXPECT_GT(failing_sync, 0) << error.what();
      }
    }
    disk().Lift();
    records_ = disk().TakeRecords();
  }

  // Checks what is left where the power goes after so many records.
  void Check(std::size_t records, Seeded& random) const {
    SCOPED_TRACE("power lost after record " + std::to_string(records) + " of " +
                 std::to_string(records_.size()));
    const TempFolder folder;
    for (const auto& [name, content] : LeftOnDisk(std::span(records_).first(records), random)) {
      std::ofstream(folder.File(name), std::ios::binary) << content;
    }
    auto store = PgqrsStore::Connect(DsnFor(folder));
    EXPECT_NO_THROW(store.Admin().Verify());
    for (const auto& [when, id, is_ack] : acknowledged_) {
      if (when > records) break;
      const auto message = store.FindMessage(id);
      ASSERT_TRUE(message.has_value()) << "message " << id << " is lost";
      if (is_ack) {
        EXPECT_EQ(message->state, MessageState::kArchived) << "message " << id;
      }
    }
  }

  // Does so at some of the moments of the work.
  void CheckSome(std::int64_t how_many) const {
    Seeded random;
    const auto n = static_cast<std::int64_t>(records_.size());
    for (const auto records : random.Spread(n, FromEnvironment("PGQRS_FAULT_POINTS", how_many))) {
      Check(static_cast<std::size_t>(records), random);
      if (HasFailure()) return;
    }
  }

  // The numbers, among the syncs of the open store, of those that complete a copy of the log into
  // the database.
  std::vector<std::int64_t> SyncsOfCopies() const {
    std::vector<std::int64_t> numbers;
    std::int64_t number = 0;
    for (const auto& record : std::span(records_).subspan(opened_)) {
      if (record.kind != IoRecord::Kind::kSync) continue;
      ++number;
      if (record.file == "queue.db") numbers.push_back(number);
    }
    return numbers;
  }

 private:
  static std::vector<Json> LargeBatch() { return {5, Json(std::string(2000, 'x'))}; }

  void Note(std::int64_t id, bool is_ack) {
    acknowledged_.push_back({.records = disk().RecordCount(), .id = id, .is_ack = is_ack});
  }

  std::vector<IoRecord> records_;
  std::size_t opened_ = 0;  // How many of them were there when the store was open.
  std::vector<Acknowledged> acknowledged_;
};

PGQRS_FAULT_SUITE(PowerLoss);

TEST_P(PowerLoss, NothingAcknowledgedIsLostWheneverItComes) {
  Work();
  ASSERT_THAT(SyncsOfCopies(), Not(IsEmpty()));
  CheckSome(IsSanitized() ? 10 : 40);
}

TEST_P(PowerLoss, NothingAcknowledgedIsLostAfterASyncHasFailed) {
  Work();
  const auto syncs = SyncsOfCopies();
  ASSERT_THAT(syncs, Not(IsEmpty()));
  for (const auto number : syncs) {
    // That of the log before it, and the one that comes next, too.
    for (const auto failing : {number - 1, number, number + 1}) {
      SCOPED_TRACE("sync " + std::to_string(failing) + " has failed");
      Work(failing);
      CheckSome(IsSanitized() ? 3 : 12);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace pgqrs::testing
