// Finished messages stay in the archive until a policy removes them.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>
#include <string>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  auto queue = store.Queue("deliveries");
  for (int i = 1; i <= 10; ++i) queue.Enqueue("parcel " + std::to_string(i));
  for (auto message = queue.Dequeue(); message; message = queue.Dequeue()) message->Ack();

  // An acked message keeps its payload, its times and the worker that finished it.
  for (const auto& message : queue.ListArchived({.limit = 2})) {
    std::cout << message.payload.AsString() << " was finished by worker "
              << message.worker_id.value_or(0) << " at its delivery number " << message.read_count
              << "\n";
  }

  // By number: the newest three stay. By age: nothing is older than a week yet. A policy may have
  // both; then a message goes that either excludes. A program applies its policy from time to time;
  // it works in small transactions, beside producers and consumers.
  std::cout << queue.ApplyRetention({.max_count = 3}) << " removed by number, ";
  std::cout << queue.ApplyRetention({.max_age = std::chrono::hours(7 * 24)}) << " by age; ";
  std::cout << queue.Metrics().archived << " are left\n";
}
