#include "limits/limit_file.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <stdexcept>

namespace limits {
namespace {

constexpr std::int64_t kLease = 30'000'000;  // Microseconds.

// The tables that the queue works on, and their indexes.
constexpr const char* kTables = R"sql(
CREATE TABLE IF NOT EXISTS pgqrs_batches (
  id INTEGER PRIMARY KEY,
  queue_id INTEGER NOT NULL,
  n INTEGER NOT NULL,
  enqueued_at INTEGER NOT NULL,
  producer_worker_id INTEGER,
  payloads TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS pgqrs_slices (
  id INTEGER PRIMARY KEY,
  queue_id INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  visible_at INTEGER NOT NULL,
  mask INTEGER NOT NULL,
  n INTEGER NOT NULL,
  read_ct INTEGER NOT NULL DEFAULT 0,
  worker_id INTEGER,
  lease_token INTEGER,
  leased_at INTEGER,
  last_error TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS pgqrs_slices_hot ON pgqrs_slices (queue_id, priority, visible_at);
CREATE TABLE IF NOT EXISTS pgqrs_archive (
  id INTEGER PRIMARY KEY,
  queue_id INTEGER NOT NULL,
  batch_id INTEGER NOT NULL,
  mask INTEGER NOT NULL,
  n INTEGER NOT NULL,
  dead INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  read_ct INTEGER NOT NULL,
  worker_id INTEGER,
  leased_at INTEGER,
  archived_at INTEGER NOT NULL,
  reason TEXT,
  last_error TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS pgqrs_archive_batch ON pgqrs_archive (queue_id, batch_id, n);
)sql";

template <typename File>
File MakeFile(const std::string& path, Durability durability) {
  File file(path, durability);
  file.Run(kTables);
  return file;
}

std::int64_t Now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::uint64_t FullMask(int n) { return ~std::uint64_t{0} >> (kMaxBatch - n); }

std::uint64_t LowestBits(std::uint64_t mask, int count) {
  std::uint64_t rest = mask;
  for (int i = 0; i < count; ++i) rest &= rest - 1;
  return mask & ~rest;
}

}  // namespace

template <typename File>
FileLimit<File>::FileLimit(const std::string& path, Durability durability)
    : file_(MakeFile<File>(path, durability)),
      begin_(file_.handle(), "BEGIN IMMEDIATE"),
      commit_(file_.handle(), "COMMIT"),
      insert_batch_(file_.handle(),
                    "INSERT INTO pgqrs_batches"
                    " (id, queue_id, n, enqueued_at, producer_worker_id, payloads)"
                    " VALUES (?1, 1, ?2, ?3, 1, ?4)"),
      insert_slice_(file_.handle(),
                    "INSERT INTO pgqrs_slices (id, queue_id, priority, visible_at, mask, n)"
                    " VALUES (?1, 1, 5, ?2, ?3, ?4)"),
      select_(file_.handle(),
              "SELECT s.id, s.mask, s.n, s.read_ct, b.payloads"
              " FROM pgqrs_slices AS s JOIN pgqrs_batches AS b ON b.id = s.id >> 6"
              " WHERE s.queue_id = 1 AND s.priority = 5 AND s.visible_at <= ?1"
              " ORDER BY s.visible_at, s.id"),
      lease_(file_.handle(),
             "UPDATE pgqrs_slices SET visible_at = ?2, read_ct = read_ct + 1, worker_id = 1,"
             " lease_token = ?3, leased_at = ?4 WHERE id = ?1"),
      shrink_(file_.handle(), "UPDATE pgqrs_slices SET mask = ?2, n = ?3 WHERE id = ?1"),
      insert_leased_(file_.handle(),
                     "INSERT INTO pgqrs_slices (id, queue_id, priority, visible_at, mask, n,"
                     " read_ct, worker_id, lease_token, leased_at)"
                     " VALUES (?1, 1, 5, ?2, ?3, ?4, ?5, 1, ?6, ?7)"),
      delete_(file_.handle(), "DELETE FROM pgqrs_slices WHERE id = ?1 AND lease_token = ?2"),
      archive_(file_.handle(),
               "INSERT INTO pgqrs_archive (queue_id, batch_id, mask, n, dead, priority, read_ct,"
               " worker_id, leased_at, archived_at)"
               " VALUES (1, ?1, ?2, ?3, 0, 5, ?4, 1, ?5, ?6)") {
  next_batch_ = file_.Number("SELECT max(id) FROM pgqrs_batches").value_or(0) + 1;
}

template <typename File>
void FileLimit<File>::Enqueue(std::int64_t count, int batch_size, std::string_view payload) {
  const int batches = std::max(1, kTransactionSize / batch_size);
  for (std::int64_t left = count; left > 0;) {
    begin_.Run();
    const auto now = Now();
    for (int i = 0; i < batches && left > 0; ++i) {
      const int n = static_cast<int>(std::min<std::int64_t>(batch_size, left));
      InsertBatch(n, JsonArray(payload, n), now);
      left -= n;
    }
    commit_.Run();
  }
}

template <typename File>
void FileLimit<File>::EnqueueOne(std::string_view payload) {
  begin_.Run();
  InsertBatch(1, JsonArray(payload, 1), Now());
  commit_.Run();
}

// The key of a full slice is its highest position and that of a part its lowest, so that the keys
// of a batch never meet: the highest position stays with the rest until nothing is split off.
template <typename File>
void FileLimit<File>::InsertBatch(int n, std::string_view payloads, std::int64_t now) {
  const auto batch = next_batch_++;
  insert_batch_.Bind(batch, std::int64_t{n}, now, payloads).Run();
  insert_slice_
      .Bind(batch * kMaxBatch + n - 1, now, std::bit_cast<std::int64_t>(FullMask(n)),
            std::int64_t{n})
      .Run();
}

template <typename File>
int FileLimit<File>::Dequeue(int want) {
  begin_.Run();
  const auto now = Now();
  ++lease_token_;
  leased_at_ = now;
  ReadVisible(want, now);
  taken_.clear();
  int got = 0;
  for (const auto& slice : visible_) {
    if (got + slice.n <= want) {
      Lease(slice, now);
      taken_.push_back(slice);
    } else {
      taken_.push_back(Split(slice, want - got, now));
    }
    ++taken_.back().read_ct;
    got += taken_.back().n;
  }
  commit_.Run();
  return got;
}

template <typename File>
void FileLimit<File>::ReadVisible(int want, std::int64_t now) {
  visible_.clear();
  select_.Bind(now);
  for (int n = 0; n < want && select_.Step();) {
    visible_.push_back({.id = select_.Int(0),
                        .mask = std::bit_cast<std::uint64_t>(select_.Int(1)),
                        .n = static_cast<int>(select_.Int(2)),
                        .read_ct = static_cast<int>(select_.Int(3))});
    payload_bytes_ += select_.Text(4).size();
    n += visible_.back().n;
  }
  select_.Reset();
}

template <typename File>
void FileLimit<File>::Lease(const Slice& slice, std::int64_t now) {
  lease_.Bind(slice.id, now + kLease, lease_token_, now).Run();
}

template <typename File>
typename FileLimit<File>::Slice FileLimit<File>::Split(const Slice& slice, int take,
                                                       std::int64_t now) {
  const auto taken_mask = LowestBits(slice.mask, take);
  const auto rest_mask = slice.mask & ~taken_mask;
  shrink_.Bind(slice.id, std::bit_cast<std::int64_t>(rest_mask), std::int64_t{slice.n - take})
      .Run();
  const Slice taken{.id = slice.id / kMaxBatch * kMaxBatch + std::countr_zero(taken_mask),
                    .mask = taken_mask,
                    .n = take,
                    .read_ct = slice.read_ct};
  insert_leased_
      .Bind(taken.id, now + kLease, std::bit_cast<std::int64_t>(taken_mask), std::int64_t{take},
            std::int64_t{taken.read_ct + 1}, lease_token_, now)
      .Run();
  return taken;
}

template <typename File>
void FileLimit<File>::Ack() {
  begin_.Run();
  const auto now = Now();
  for (const auto& slice : taken_) {
    delete_.Bind(slice.id, lease_token_).Run();
    if (delete_.changes() != 1) throw std::runtime_error("a lease was lost");
    archive_
        .Bind(slice.id / kMaxBatch, std::bit_cast<std::int64_t>(slice.mask), std::int64_t{slice.n},
              std::int64_t{slice.read_ct}, leased_at_, now)
        .Run();
  }
  commit_.Run();
}

template <typename File>
std::int64_t FileLimit<File>::Drain(int want) {
  std::int64_t drained = 0;
  while (const int got = Dequeue(want)) {
    Ack();
    drained += got;
  }
  return drained;
}

template <typename File>
void FileLimit<File>::Verify(std::int64_t waiting, std::int64_t archived) {
  const auto expect = [this](std::int64_t number, std::string_view what, std::string_view sql) {
    ExpectNumber(file_.Number(sql).value_or(0), number, what);
  };
  expect(waiting, "messages waiting", "SELECT coalesce(sum(n), 0) FROM pgqrs_slices");
  expect(archived, "messages archived", "SELECT coalesce(sum(n), 0) FROM pgqrs_archive");
  expect(0, "batches with a message archived twice",
         "SELECT count(*) FROM (SELECT batch_id FROM pgqrs_archive GROUP BY queue_id, batch_id"
         " HAVING sum(n) > (SELECT b.n FROM pgqrs_batches AS b WHERE b.id = batch_id))");
  if (archived > 0 && payload_bytes_ == 0) throw std::runtime_error("no payload was read");
}

template class FileLimit<SqliteFile>;
#ifdef PGQRS_WITH_TURSO
template class FileLimit<TursoFile>;
#endif

}  // namespace limits
