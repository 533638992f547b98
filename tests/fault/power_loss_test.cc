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
// last sync, and, of what came later, nothing or a random part, in its order.
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
  PowerLoss() { disk().Record(); }

  void Work() {
    TempFolder folder;
    auto store = PgqrsStore::Connect(DsnFor(folder));
    auto queue = store.Queue("jobs");
    for (int i = 0; i < 60; ++i) {
      Note(queue.Enqueue("one"), false);
      for (const auto id : queue.EnqueueBatch(LargeBatch())) Note(id, false);
      for (auto& message : queue.DequeueBatch(3)) {
        if (message.Ack()) Note(message.id(), true);
      }
    }
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

  std::size_t record_count() const { return records_.size(); }
  // How often the log was copied into the database.
  std::int64_t Checkpoints() const {
    return std::count_if(records_.begin(), records_.end(), [](const IoRecord& record) {
      return record.kind == IoRecord::Kind::kSync && record.file == "queue.db";
    });
  }

 private:
  static std::vector<Json> LargeBatch() { return {5, Json(std::string(2000, 'x'))}; }

  void Note(std::int64_t id, bool is_ack) {
    acknowledged_.push_back({.records = disk().RecordCount(), .id = id, .is_ack = is_ack});
  }

  std::vector<IoRecord> records_;
  std::vector<Acknowledged> acknowledged_;
};

PGQRS_FAULT_SUITE(PowerLoss);

TEST_P(PowerLoss, NothingAcknowledgedIsLostWheneverItComes) {
  Work();
  // More than the one that closes the store.
  ASSERT_GT(Checkpoints(), 1);
  Seeded random;
  const auto how_many = FromEnvironment("PGQRS_FAULT_POINTS", IsSanitized() ? 10 : 40);
  for (const auto records : random.Spread(static_cast<std::int64_t>(record_count()), how_many)) {
    Check(static_cast<std::size_t>(records), random);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace pgqrs::testing
