// What a queue holds, and what the engine has done.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  auto queue = store.Queue("jobs");
  for (const char* job : {"a", "b", "c", "d"}) queue.Enqueue(job);
  queue.Enqueue("later", {.delay = std::chrono::hours(1)});
  queue.Dequeue()->Ack();
  queue.Dequeue()->DeadLetter("cannot be done");
  auto held = queue.Dequeue();

  // Counted from the tables, so it covers every process that works on the database.
  const pgqrs::QueueMetrics metrics = queue.Metrics();
  std::cout << "waiting " << metrics.waiting << ", delayed " << metrics.delayed << ", leased "
            << metrics.leased << ", archived " << metrics.archived << ", dead " << metrics.dead
            << "\noldest waiting message: " << metrics.oldest_age.count() << " us\n"
            << metrics.enqueued_per_second << " enqueued and " << metrics.finished_per_second
            << " finished a second\n";

  // Counted by this store since it was opened. Under load the groups grow by themselves.
  const pgqrs::EngineMetrics engine = store.EngineMetrics();
  std::cout << engine.requests << " requests in " << engine.groups << " transactions, "
            << engine.failed_requests << " failed\n99 of 100 requests took less than "
            << engine.request_latency.Percentile(0.99) << " us\n";
}
