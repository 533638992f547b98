// Messages that wait for their time, and messages that go first.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>

int main() {
  using std::chrono::milliseconds;
  using std::chrono::seconds;

  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  auto queue = store.Queue("mail");

  // 0 is served first, 9 last; without a priority a message has 5.
  queue.Enqueue("newsletter", {.priority = 9});
  queue.Enqueue("receipt");
  queue.Enqueue("password reset", {.priority = 0});

  // Held back: for some time, or until a time.
  queue.Enqueue("reminder", {.delay = milliseconds(100)});
  const auto now = std::chrono::time_point_cast<pgqrs::Duration>(std::chrono::system_clock::now());
  queue.Enqueue("invoice", {.visible_at = now + milliseconds(200)});

  // Prints password reset, receipt, newsletter; then reminder and invoice, each when its time
  // comes. DequeueWait sleeps until there is a message, and gives nothing when none comes in a
  // second.
  for (int i = 0; i < 5; ++i) {
    auto message = queue.DequeueWait(seconds(1));
    if (!message) return 1;
    std::cout << message->payload().AsString() << " (priority " << message->priority() << ")\n";
    message->Ack();
  }
}
