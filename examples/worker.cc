// A worker: a function that runs on every message, and runs again where it fails.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  auto queue = store.Queue("orders");
  queue.Enqueue("tea");
  queue.Enqueue("coffee");

  // When the handler returns the message is acked. When it throws the message comes back, later
  // each time. RetryAfter chooses the time itself; Discard gives up at once.
  pgqrs::QueueWorker worker(
      queue,
      [&](pgqrs::Message& message) {
        const std::string order = message.payload().AsString();
        const std::string tries = std::to_string(message.read_count());
        if (order == "coffee" && message.read_count() < 3) {
          std::cout << "coffee: failed at try " + tries + "\n";
          throw std::runtime_error("the machine is cold");
        }
        std::cout << order + ": served at try " + tries + "\n";
        // Any thread may stop a worker, its handlers included.
        if (order == "coffee") worker.RequestStop();
      },
      {.concurrency = 2, .retry = {.base_delay = std::chrono::milliseconds(20)}});
  worker.Run();  // Returns when the worker was stopped and every handler has finished.

  std::cout << worker.counts().acked << " acked, " << worker.counts().failed << " failed tries\n";
}
