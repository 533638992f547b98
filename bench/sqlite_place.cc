#include "sqlite_place.h"

#include <bit>
#include <chrono>

#include "limits/limit_sqlite.h"
#include "limits/sqlite_file.h"
#include "workload.h"

namespace bench {
namespace {

std::int64_t MicrosecondsNow() {
  return std::chrono::duration_cast<pgqrs::Duration>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string JsonArray(std::int64_t first, int count) {
  std::string array;
  for (int i = 0; i < count; ++i) {
    array += i == 0 ? '[' : ',';
    array += PayloadText(first + i);
  }
  return array + ']';
}

}  // namespace

SqlitePlace::SqlitePlace(const Options& options) : Place(options), folder_(options.folder) {
  set_database((folder_.path() / "queue.db").string());
}

std::unique_ptr<limits::Limit> SqlitePlace::OpenLimit(int connections) const {
  Expect(connections == 1, "the limit program of SQLite has one connection");
  return std::make_unique<limits::SqliteLimit>(database(), options().durability());
}

// Through the SQL view.
void SqlitePlace::FillOneByOne(std::int64_t count) const {
  limits::SqliteFile file(database(), limits::Durability::kNormal);
  file.Run("BEGIN IMMEDIATE");
  limits::Statement insert(file.handle(),
                           "INSERT INTO pgqrs_messages (queue_name, payload) VALUES (?1, ?2)");
  for (std::int64_t i = 0; i < count; ++i) {
    const auto payload = PayloadText(i);
    insert.Bind(kQueueName, std::string_view(payload)).Run();
  }
  file.Run("COMMIT");
  ExpectEqual(file.Number("SELECT max(n) FROM pgqrs_slices").value_or(0), 1, "size of a batch");
}

void SqlitePlace::WriteArchive(std::int64_t count, int batch_size) const {
  constexpr std::int64_t kTransactionSize = 50'000;
  limits::SqliteFile file(database(), limits::Durability::kOff);
  const auto batches = (count + batch_size - 1) / batch_size;
  limits::Statement reserve(file.handle(),
                            "UPDATE pgqrs_sequences SET next = next + ?1 WHERE name = 'batch'"
                            " RETURNING next - ?1");
  Expect(reserve.Bind(batches).Step(), "no sequence of batch ids");
  auto batch = reserve.Int(0);
  reserve.Run();
  limits::Statement insert_batch(file.handle(),
                                 "INSERT INTO pgqrs_batches (id, queue_id, n, enqueued_at,"
                                 " producer_worker_id, payloads) VALUES (?1, ?2, ?3, ?4, 1, ?5)");
  limits::Statement insert_archive(
      file.handle(),
      "INSERT INTO pgqrs_archive (queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id,"
      " leased_at, archived_at) VALUES (?1, ?2, ?3, ?4, 0, 5, 1, 1, ?5, ?5)");
  const auto queue_id = file.Number("SELECT id FROM pgqrs_queues").value();
  const auto time = MicrosecondsNow() - std::int64_t{3'600'000'000};
  for (std::int64_t left = count; left > 0;) {
    file.Run("BEGIN IMMEDIATE");
    for (auto end = std::max<std::int64_t>(0, left - kTransactionSize); left > end; ++batch) {
      const auto n = std::min<std::int64_t>(batch_size, left);
      const auto payloads = JsonArray(left, static_cast<int>(n));
      const auto mask = std::bit_cast<std::int64_t>(~std::uint64_t{0} >> (64 - n));
      insert_batch.Bind(batch, queue_id, n, time, std::string_view(payloads)).Run();
      insert_archive.Bind(queue_id, batch, mask, n, time).Run();
      left -= n;
    }
    file.Run("COMMIT");
  }
  // What is measured later must not pay for this. FULL makes the checkpoint sync the file.
  file.Run("PRAGMA synchronous=FULL; PRAGMA wal_checkpoint(TRUNCATE)");
}

}  // namespace bench
