// Looking after a database: what is in it, whether it is sound, and who has vanished.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  auto queue = store.Queue("jobs");
  store.Queue("empty");
  queue.Enqueue("done");
  queue.Enqueue("held");
  queue.Enqueue("waits");
  queue.Dequeue()->Ack();
  auto held = queue.Dequeue();

  pgqrs::Admin admin = store.Admin();
  admin.Install();  // Connect did so already; it does no harm.
  admin.Verify();   // Throws, and says what is wrong, where the tables contradict each other.

  for (const auto& metrics : admin.Metrics()) {
    std::cout << metrics.queue_name << ": " << metrics.waiting << " waiting, " << metrics.leased
              << " leased, " << metrics.archived << " archived\n";
  }
  // A page at a time; the next begins after the last id of this one.
  for (const auto& message : admin.Messages({.after_id = 0, .limit = 100})) {
    std::cout << message.payload.AsString() << " is " << pgqrs::ToString(message.state) << "\n";
  }

  // Gives back what the workers of processes hold that were killed. Leases would end by themselves;
  // this is for those who cannot wait.
  std::cout << admin.PurgeStaleWorkers(std::chrono::minutes(5)) << " stale workers\n";
  std::cout << admin.ReleaseWorkerMessages(held->worker_id()) << " message given back\n";

  store.PurgeQueue("jobs");                   // What waits.
  store.DeleteQueue("empty");                 // Refuses where there is still something to do.
  store.DeleteQueue("jobs", /*force=*/true);  // Does not.
  std::cout << store.ListQueues().size() << " queues left\n";
}
