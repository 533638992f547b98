#include "workload.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "measure.h"

namespace bench {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

}  // namespace

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

void FillInBulk(pgqrs::Queue& queue, std::int64_t count, int batch_size) {
  const auto payloads = MakePayloads(static_cast<int>(std::min<std::int64_t>(batch_size, count)));
  for (std::int64_t left = count; left > 0;) {
    const auto n = std::min<std::int64_t>(batch_size, left);
    queue.EnqueueBatch(std::span(payloads).first(static_cast<std::size_t>(n)));
    left -= n;
  }
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

void Tally::Verify(const Options& options, std::int64_t count) {
  ExpectEqual(static_cast<std::int64_t>(ids_.size()), count, "messages taken");
  std::ranges::sort(ids_);
  Expect(std::ranges::adjacent_find(ids_) == ids_.end(), "a message was handed out twice");
  ExpectEqual(bytes_, count * StoredPayloadSize(options), "bytes of payload");
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

int Quota::Claim(int want) {
  auto left = left_.load();
  std::int64_t claimed = 0;
  do {
    claimed = std::min<std::int64_t>(want, left);
  } while (!left_.compare_exchange_weak(left, left - claimed));
  return static_cast<int>(claimed);
}

namespace {

// The next batch; empty where the quota is used up.
template <typename Source>
std::vector<pgqrs::Message> Take(Source& source, int want, Quota& quota, Tally& tally) {
  const int claimed = quota.Claim(want);
  if (claimed == 0) return {};
  auto batch = source.DequeueBatch(claimed);
  // Another consumer may hold, for a moment, what it will not keep.
  if (batch.empty()) batch = source.DequeueBatchWait(claimed, kPatience);
  Expect(!batch.empty(), "messages are missing");
  quota.GiveBack(claimed - std::ssize(batch));
  tally.Take(batch);
  return batch;
}

}  // namespace

std::optional<pgqrs::Message> TakeOne(pgqrs::Queue& queue, Quota& quota) {
  if (quota.Claim(1) == 0) return std::nullopt;
  auto message = queue.Dequeue();
  if (!message) message = queue.DequeueWait(kPatience);
  Expect(message.has_value(), "messages are missing");
  return message;
}

template <typename Source>
void DrainWithAcksOnTheWay(pgqrs::PgqrsStore& store, Source& source, int want, Quota& quota,
                           Tally& tally) {
  for (auto batch = Take(source, want, quota, tally); !batch.empty();) {
    auto acks = store.AckAsync(std::span<const pgqrs::Message>(batch));
    auto next = Take(source, want, quota, tally);
    tally.NoteAcks(acks.Get());
    batch = std::move(next);
  }
}

template <typename Source>
void DrainStepByStep(pgqrs::PgqrsStore& store, Source& source, int want, Quota& quota,
                     Tally& tally) {
  for (;;) {
    const auto batch = Take(source, want, quota, tally);
    if (batch.empty()) break;
    tally.NoteAcks(store.Ack(std::span<const pgqrs::Message>(batch)));
  }
}

template void DrainWithAcksOnTheWay(pgqrs::PgqrsStore&, pgqrs::Queue&, int, Quota&, Tally&);
template void DrainStepByStep(pgqrs::PgqrsStore&, pgqrs::Queue&, int, Quota&, Tally&);
template void DrainStepByStep(pgqrs::PgqrsStore&, pgqrs::Consumer&, int, Quota&, Tally&);

double DrainByConsumers(pgqrs::PgqrsStore& store, pgqrs::Queue& queue, int consumers, int want,
                        Quota& quota, Tally& tally) {
  std::mutex mutex;
  std::vector<pgqrs::Consumer> workers;
  workers.reserve(static_cast<std::size_t>(consumers));
  for (int i = 0; i < consumers; ++i) workers.push_back(queue.NewConsumer());
  return RunThreads(consumers, [&](int i) {
    Tally own;
    DrainWithAcksOnTheWay(store, workers[static_cast<std::size_t>(i)], want, quota, own);
    const std::lock_guard lock(mutex);
    tally.Merge(own);
  });
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
