// Every call that touches the database has an …Async form, which a coroutine can await.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>
#include <string>

// Runs on the caller's thread until it first waits, and on the store's callback thread from there.
// No thread is blocked meanwhile.
pgqrs::Future<int> Produce(pgqrs::Queue queue, int count) {
  for (int i = 1; i <= count; ++i) {
    const std::string text = "message " + std::to_string(i);
    co_await queue.EnqueueAsync(text);
  }
  co_return count;
}

pgqrs::Future<int> Consume(pgqrs::Queue queue) {
  int consumed = 0;
  for (;;) {
    // Suspended until there is a message, but no longer than 100 ms.
    auto message = co_await queue.DequeueWaitAsync(std::chrono::milliseconds(100));
    if (!message) co_return consumed;
    std::cout << message->payload().AsString() << "\n";
    if (co_await message->AckAsync()) ++consumed;
  }
}

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  auto queue = store.Queue("numbers");

  auto consumed = Consume(queue);  // Both are under way at once.
  auto produced = Produce(queue, 3);
  // A coroutine's result is a Future too. Get waits for it, and throws what the coroutine threw.
  const int put = produced.Get();
  const int taken = consumed.Get();
  std::cout << put << " produced, " << taken << " consumed\n";
}
