// The whole of pgqrs in five lines: open, put, take, acknowledge.
#include <pgqrs/pgqrs.h>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  auto queue = store.Queue("jobs");
  queue.Enqueue("payload");
  auto message = queue.Dequeue();
  store.Ack(message->id());
}
