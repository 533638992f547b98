// A consumer: a worker with a name, a state and a heartbeat, that takes messages by explicit calls.
#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <iostream>
#include <vector>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  auto queue = store.Queue("pages");
  for (const char* page : {"front", "sport", "weather", "letters"}) queue.Enqueue(page);

  auto left = queue.NewConsumer("left press");
  auto right = queue.NewConsumer("right press");
  std::vector<std::int64_t> ids;
  for (const auto& message : left.DequeueBatch(3)) {
    std::cout << "left press has " << message.payload().AsString() << "\n";
    ids.push_back(message.id());
  }

  // A consumer acts by id, but only on what it holds itself.
  std::cout << "right may ack what left holds: " << (right.Ack(ids[0]) ? "yes" : "no") << "\n";
  std::cout << "left may: " << (left.Ack(ids[0]) ? "yes" : "no") << "\n";
  left.Release(ids[1]);

  // Other processes see it in the list of workers, with the time of its last heartbeat.
  for (const auto& worker : store.Admin().Workers()) {
    std::cout << worker.name << ": " << pgqrs::ToString(worker.status) << "\n";
  }

  // What it still holds is given back when it closes; so does its destructor.
  left.Close();
  std::cout << right.DequeueBatch(10).size() << " pages for the right press\n";
}
