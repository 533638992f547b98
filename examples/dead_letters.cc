// Dead letters: what cannot be done is put aside with the reason, to be looked at and replayed.
#include <pgqrs/pgqrs.h>

#include <iostream>

int main() {
  pgqrs::Config config("sqlite::memory:");
  config.max_read_ct = 2;  // A message that was handed out twice without success is dead.
  auto store = pgqrs::PgqrsStore::Connect(config);
  auto queue = store.Queue("payments");

  // Put there by its consumer. (The handler of a QueueWorker throws pgqrs::Discard instead.)
  queue.Enqueue("pay to an unknown account");
  queue.Dequeue()->DeadLetter("no such account");

  // Put there by the queue, when it would have been handed out for the third time.
  queue.Enqueue("pay through a broken gateway");
  for (int i = 0; i < 2; ++i) {
    queue.Dequeue()->Release(pgqrs::Duration::zero(), "the gateway does not answer");
  }
  if (queue.Dequeue()) return 1;  // Nothing is left to hand out.

  for (const auto& letter : queue.ListDeadLetters()) {
    std::cout << letter.payload.AsString() << ": " << letter.reason
              << " (last error: " << letter.last_error << ")\n";
  }

  // Replayed, a message has its old id and starts at a read count of 0: this one, or all of them.
  const auto first = queue.ListDeadLetters().front().id;
  queue.ReplayDeadLetter(first);
  auto again = queue.Dequeue();
  std::cout << "again: " << again->payload().AsString() << ", read " << again->read_count()
            << " time\n";
  again->Ack();

  std::cout << queue.PurgeDeadLetters() << " dead letter removed for good\n";
}
