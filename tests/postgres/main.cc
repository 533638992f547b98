// The test program is also the other processes of its tests: `postgres_tests --child DSN SCHEMA
// DELAY` enqueues one message to the queue "jobs", with a delay in milliseconds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <exception>
#include <iostream>
#include <span>
#include <string>
#include <string_view>

namespace {

int Enqueue(std::span<char*> arguments) {
  try {
    pgqrs::Config config(arguments[0]);
    config.schema = arguments[1];
    auto store = pgqrs::PgqrsStore::Connect(config);
    const std::chrono::milliseconds delay(std::stoll(arguments[2]));
    store.Queue("jobs").Enqueue("from another process", {.delay = delay});
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  if (argc == 5 && std::string_view(argv[1]) == "--child") return Enqueue(arguments.subspan(2));
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
