#include "workload.h"

#include <algorithm>
#include <barrier>
#include <bit>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "limits/sqlite_file.h"
#include "measure.h"

namespace bench {
namespace {

constexpr int kFillBatch = 10'000;

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

pgqrs::PgqrsStore OpenStore(const std::filesystem::path& database, const Options& options) {
  return pgqrs::PgqrsStore::Connect("sqlite://" + std::filesystem::absolute(database).string() +
                                    "?synchronous=" + options.synchronous);
}

std::string PayloadText(std::int64_t number) {
  const auto digits = std::to_string(number);
  std::string text = R"({"number":")" + std::string(12 - digits.size(), '0') + digits;
  text += R"(","text":")";
  text.append(kPayloadSize - text.size() - 2, 'x');
  return text + R"("})";
}

std::vector<pgqrs::Json> MakePayloads(int count) {
  std::vector<pgqrs::Json> payloads;
  payloads.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) payloads.push_back(pgqrs::Json::Parse(PayloadText(i)));
  return payloads;
}

void FillInBulk(pgqrs::Queue& queue, std::int64_t count) {
  const auto payloads = MakePayloads(static_cast<int>(std::min<std::int64_t>(kFillBatch, count)));
  for (std::int64_t left = count; left > 0;) {
    const auto n = std::min<std::int64_t>(kFillBatch, left);
    queue.EnqueueBatch(std::span(payloads).first(static_cast<std::size_t>(n)));
    left -= n;
  }
}

void FillOneByOne(const std::filesystem::path& database, std::int64_t count) {
  limits::SqliteFile file(database, limits::Durability::kNormal);
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

void WriteArchive(const std::filesystem::path& database, std::int64_t count, int batch_size) {
  constexpr std::int64_t kTransactionSize = 50'000;
  limits::SqliteFile file(database, limits::Durability::kOff);
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

void Tally::Take(const pgqrs::Message& message) {
  ids_.push_back(message.id());
  bytes_ += static_cast<std::int64_t>(message.payload().text().size());
}

void Tally::Merge(const Tally& other) {
  ids_.insert(ids_.end(), other.ids_.begin(), other.ids_.end());
  bytes_ += other.bytes_;
  acked_ += other.acked_;
}

void Tally::Verify(std::int64_t count) {
  ExpectEqual(static_cast<std::int64_t>(ids_.size()), count, "messages taken");
  std::ranges::sort(ids_);
  Expect(std::ranges::adjacent_find(ids_) == ids_.end(), "a message was handed out twice");
  ExpectEqual(bytes_, count * kPayloadSize, "bytes of payload");
  ExpectEqual(acked_, count, "messages acked");
}

void VerifyQueue(pgqrs::Queue& queue, std::int64_t waiting, std::int64_t archived) {
  const auto metrics = queue.Metrics();
  ExpectEqual(metrics.waiting, waiting, "messages waiting");
  ExpectEqual(metrics.leased, 0, "messages under lease");
  ExpectEqual(metrics.delayed, 0, "messages delayed");
  ExpectEqual(metrics.archived, archived, "messages archived");
  ExpectEqual(metrics.dead, 0, "dead letters");
}

void DrainWithAcksOnTheWay(pgqrs::PgqrsStore& store, pgqrs::Queue& queue, int want,
                           std::int64_t count, Tally& tally) {
  auto left = count;
  const auto take = [&]() -> std::vector<pgqrs::Message> {
    const auto n = std::min<std::int64_t>(want, left);
    if (n == 0) return {};
    auto batch = queue.DequeueBatch(static_cast<int>(n));
    tally.Take(batch);
    left -= static_cast<std::int64_t>(batch.size());
    return batch;
  };
  for (auto batch = take(); !batch.empty();) {
    auto acks = store.AckAsync(std::span<const pgqrs::Message>(batch));
    auto next = take();
    tally.NoteAcks(acks.Get());
    batch = std::move(next);
  }
}

void DrainStepByStep(pgqrs::PgqrsStore& store, pgqrs::Queue& queue, int want, std::int64_t count,
                     Tally& tally) {
  for (std::int64_t left = count; left > 0;) {
    const auto batch = queue.DequeueBatch(static_cast<int>(std::min<std::int64_t>(want, left)));
    if (batch.empty()) break;
    tally.Take(batch);
    tally.NoteAcks(store.Ack(std::span<const pgqrs::Message>(batch)));
    left -= static_cast<std::int64_t>(batch.size());
  }
}

double RunThreads(int count, const std::function<void(int)>& work) {
  std::barrier start(count + 1);
  std::mutex mutex;
  std::exception_ptr error;
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
      }
    });
  }
  start.arrive_and_wait();
  const Stopwatch watch;
  for (auto& thread : threads) thread.join();
  const auto seconds = watch.Seconds();
  if (error) std::rethrow_exception(error);
  return seconds;
}

}  // namespace bench
