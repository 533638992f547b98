// Sends a message through each of the databases named by the arguments.
#include <pgqrs/pgqrs.h>

#include <exception>
#include <iostream>
#include <span>

int main(int argc, char** argv) {
  try {
    for (const auto* dsn : std::span(argv, static_cast<std::size_t>(argc)).subspan(1)) {
      auto store = pgqrs::PgqrsStore::Connect(dsn);
      auto queue = store.Queue("jobs");
      const auto id = queue.Enqueue("payload");
      if (queue.Dequeue()->id() != id) {
        std::cerr << dsn << ": another message came out\n";
        return 1;
      }
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
