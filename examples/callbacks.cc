// Results by callback, without a thread that waits.
#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  auto queue = store.Queue("events");

  // Requests that are in flight together share transactions: this is the fast way to enqueue one by
  // one from a single thread.
  std::vector<pgqrs::Future<std::int64_t>> enqueued;
  enqueued.reserve(100);
  for (int i = 0; i < 100; ++i) {
    enqueued.push_back(queue.EnqueueAsync("event " + std::to_string(i)));
  }
  for (auto& id : enqueued) id.Get();
  std::cout << enqueued.size() << " requests in " << store.EngineMetrics().groups
            << " transactions\n";

  // Then runs the callback on a thread of the store, with the future, ready. What the callback
  // returns or throws is in the future that Then gives.
  auto length = queue.DequeueAsync().Then([](pgqrs::Future<std::optional<pgqrs::Message>> done) {
    auto message = done.Get();  // Throws here if the dequeue failed.
    message->Ack();
    return message->payload().AsString().size();
  });
  std::cout << "the first event has " << length.Get() << " characters\n";

  // Errors travel the same way.
  auto opened = store.OpenQueueAsync("no such queue").Then([](pgqrs::Future<pgqrs::Queue> done) {
    try {
      done.Get();
      return std::string("opened");
    } catch (const pgqrs::QueueNotFoundError& error) {
      return std::string(error.what());
    }
  });
  std::cout << opened.Get() << "\n";
}
