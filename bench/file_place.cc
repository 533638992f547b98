#include "file_place.h"

#include <bit>
#include <chrono>

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

// Gives out ids of batches, the first of them.
template <typename File>
std::int64_t Reserve(File& file, std::int64_t batches) {
  typename File::Statement reserve(
      file.handle(),
      "UPDATE pgqrs_sequences SET next = next + ?1 WHERE name = 'batch'"
      " RETURNING next - ?1");
  Expect(reserve.Bind(batches).Step(), "no sequence of batch ids");
  const auto first = reserve.Int(0);
  reserve.Run();
  return first;
}

constexpr std::string_view kInsertBatch =
    "INSERT INTO pgqrs_batches (id, queue_id, n, enqueued_at, producer_worker_id, payloads)"
    " VALUES (?1, ?2, ?3, ?4, 1, ?5)";

}  // namespace

template <typename File>
FilePlace<File>::FilePlace(const Options& options) : Place(options), folder_(options.folder) {
  set_database((folder_.path() / "queue.db").string());
}

template <typename File>
void FilePlace<File>::FillOneByOne(std::int64_t count) const {
  File file(database(), limits::Durability::kNormal);
  file.Run("BEGIN IMMEDIATE");
  auto batch = Reserve(file, count);
  typename File::Statement insert_batch(file.handle(), kInsertBatch);
  typename File::Statement insert_slice(
      file.handle(),
      "INSERT INTO pgqrs_slices (id, queue_id, priority, visible_at, mask, n)"
      " VALUES (?1, ?2, 5, ?3, 1, 1)");
  const auto queue_id = file.Number("SELECT id FROM pgqrs_queues").value();
  const auto now = MicrosecondsNow();
  for (std::int64_t i = 0; i < count; ++i, ++batch) {
    const auto payloads = JsonArray(i, 1);
    insert_batch.Bind(batch, queue_id, std::int64_t{1}, now, std::string_view(payloads)).Run();
    insert_slice.Bind(batch * limits::kMaxBatch, queue_id, now).Run();
  }
  file.Run("COMMIT");
}

template <typename File>
void FilePlace<File>::WriteArchive(std::int64_t count, int batch_size) const {
  constexpr std::int64_t kTransactionSize = 50'000;
  File file(database(), limits::Durability::kOff);
  auto batch = Reserve(file, (count + batch_size - 1) / batch_size);
  typename File::Statement insert_batch(file.handle(), kInsertBatch);
  typename File::Statement insert_archive(
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

template class FilePlace<limits::SqliteFile>;
#ifdef PGQRS_WITH_TURSO
template class FilePlace<limits::TursoFile>;
#endif

}  // namespace bench
