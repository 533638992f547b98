// pgqrs prints nothing by itself: it hands its log records to a function of the program.
#include <pgqrs/pgqrs.h>

#include <iostream>
#include <mutex>
#include <stdexcept>
#include <string>

int main() {
  std::mutex mutex;  // The callback is called from several threads at once.
  pgqrs::Config config("sqlite::memory:");
  config.log = [&mutex](const pgqrs::LogRecord& record) {
    if (record.level < pgqrs::LogLevel::kInfo) return;
    std::string line(record.message);
    for (const auto& field : record.fields) {
      line += " " + std::string(field.name) + "=" + field.value;
    }
    const std::lock_guard lock(mutex);
    std::cout << line << "\n";
  };

  auto store = pgqrs::PgqrsStore::Connect(config);
  auto queue = store.Queue("jobs");
  queue.Enqueue("fails");

  // A handler that throws is worth a record.
  pgqrs::QueueWorker worker(queue, [&worker](pgqrs::Message&) {
    worker.RequestStop();
    throw std::runtime_error("this handler always fails");
  });
  worker.Run();
}
