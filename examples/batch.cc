// Many messages in one call: one transaction instead of one each.
#include <pgqrs/pgqrs.h>

#include <iostream>
#include <string>
#include <vector>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  auto queue = store.Queue("thumbnails");

  std::vector<pgqrs::Json> payloads;
  payloads.reserve(1000);
  for (int i = 0; i < 1000; ++i) {
    payloads.push_back(pgqrs::Json::Parse(R"({"photo": )" + std::to_string(i) + "}"));
  }

  // All of them are stored, or none. The ids come in the order of the payloads.
  const auto ids = queue.EnqueueBatch(payloads);
  std::cout << "stored " << ids.size() << " messages\n";

  // Takes up to 300 at a time, fewer where there are fewer. Each message still has a lease and a
  // fate of its own: it could be released or dead-lettered while the others are acked.
  for (auto messages = queue.DequeueBatch(300); !messages.empty();
       messages = queue.DequeueBatch(300)) {
    std::cout << "took " << messages.size() << ", the first is "
              << messages.front().payload().text() << "\n";
    for (const bool acked : store.Ack(messages)) {
      if (!acked) std::cout << "somebody else has it: its lease ran out\n";
    }
  }
}
