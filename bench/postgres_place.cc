#include "postgres_place.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>

#include "limits/postgres_session.h"
#include "measure.h"
#include "workload.h"

namespace bench {
namespace {

std::string NewName() {
  static std::atomic<int> next = 0;
  return "pgqrs_bench_" + std::to_string(::getpid()) + "_" + std::to_string(++next);
}

// So many messages are archived by one statement.
constexpr std::int64_t kChunk = 640'000;

// Archives `batches` batches of `n` messages, as if they had been enqueued and finished long ago.
void ArchiveBatches(limits::PostgresSession& session, std::int64_t batches, int n) {
  session.Run(
      "WITH batch AS ("
      "INSERT INTO pgqrs_batches (queue_id, id, n, enqueued_at, producer_worker_id, payloads)"
      " SELECT q.id, nextval('pgqrs_batch_ids'), " +
      std::to_string(n) + ", now() - interval '1 hour', 1, '" +
      limits::JsonArray(PayloadText(0), n) + "' FROM pgqrs_queues AS q, generate_series(1, " +
      std::to_string(batches) +
      ") RETURNING queue_id, id, n, enqueued_at)"
      " INSERT INTO pgqrs_archive (queue_id, batch_id, mask, worker_id, leased_at, archived_at,"
      " read_ct, priority, n, dead)"
      " SELECT queue_id, id, CASE WHEN n = 64 THEN -1 ELSE (1::bigint << n) - 1 END, 1,"
      " enqueued_at, enqueued_at, 1, 5, n, false FROM batch");
}

}  // namespace

// The tables are pgqrs's own, for the limit program too.
PostgresPlace::PostgresPlace(const Options& options) : Place(options) {
  set_database(NewName());
  Open().Queue(kQueueName);
}

PostgresPlace::~PostgresPlace() {
  try {
    limits::PostgresSession(options().dsn, database())
        .Run("DROP SCHEMA IF EXISTS " + limits::QuotedName(database()) + " CASCADE");
  } catch (const std::exception& error) {
    SayProgress("dropping a schema: " + std::string(error.what()));
  }
}

void PostgresPlace::FillOneByOne(std::int64_t count) const {
  OpenLimit(1)->Enqueue(count, 1, PayloadText(0));
}

void PostgresPlace::WriteArchive(std::int64_t count, int batch_size) const {
  limits::PostgresSession session(options().dsn, database());
  session.Run("SET synchronous_commit = off");
  const auto most = kChunk / batch_size;
  for (auto left = count / batch_size; left > 0; left -= most) {
    ArchiveBatches(session, std::min(left, most), batch_size);
  }
  if (const auto rest = static_cast<int>(count % batch_size); rest > 0) {
    ArchiveBatches(session, 1, rest);
  }
}

void PostgresPlace::Settle() const {
  limits::PostgresSession session(options().dsn, database());
  for (const auto* table : {"pgqrs_slices", "pgqrs_batches", "pgqrs_archive"}) {
    session.Run("VACUUM ANALYZE " + std::string(table));
  }
  session.Run("CHECKPOINT");
}

}  // namespace bench
