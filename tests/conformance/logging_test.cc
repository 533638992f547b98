#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "conformance/queue_worker_fixture.h"

namespace pgqrs::testing {
namespace {

using ::testing::Contains;

class Logging : public QueueWorkerTest {
 protected:
  Logging() {
    config().log = [this](const LogRecord& record) { Add(record); };
  }

  std::vector<std::string> Lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

  bool HasLine(const std::string& part) {
    for (const auto& line : Lines()) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }

 private:
  void Add(const LogRecord& record) {
    auto line = std::to_string(static_cast<int>(record.level)) + " " + std::string(record.message);
    for (const auto& field : record.fields) {
      line += " " + std::string(field.name) + "=" + field.value;
    }
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }

  std::mutex mutex_;
  std::vector<std::string> lines_;
};
PGQRS_ON_EVERY_BACKEND(Logging);

TEST_P(Logging, WhileNothingIsWrongOnlyTheStoreItselfIsLogged) {
  {
    auto store = Open();
    auto queue = store.Queue("jobs");
    queue.Enqueue("x");
    EXPECT_TRUE(queue.Dequeue()->Ack());
    EXPECT_THROW(store.OpenQueue("none"), QueueNotFoundError) << "the caller hears of it himself";
  }
  EXPECT_THAT(Lines(), ElementsAre(StartsWith("1 the schema was installed"),
                                   StartsWith("0 the store is open"), "0 the store is closed"));
}

TEST_P(Logging, ALeaseThatAWorkerLostIsLoggedWithItsQueue) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("a secret payload");
  QueueWorker worker(queue, [](Message& message) { message.Release(std::chrono::hours(1)); });
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return HasLine("was not settled"); }));
  EXPECT_THAT(Lines(), Contains(AllOf(HasSubstr("was not settled"), HasSubstr("queue=jobs"))));
  EXPECT_THAT(Lines(), Each(Not(HasSubstr("secret"))));
}

TEST_P(Logging, AHandlerThatFailsIsLoggedWithItsMessageAndError) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("a secret payload");
  QueueWorker worker(queue, [](Message&) { throw std::runtime_error("the machine is cold"); });
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return HasLine("a handler failed on message"); }));
  EXPECT_TRUE(worker.Stop());
  EXPECT_THAT(Lines(), Contains(AllOf(HasSubstr("message " + std::to_string(id)),
                                      HasSubstr("why=the machine is cold"))));
  EXPECT_THAT(Lines(), Each(Not(HasSubstr("secret"))));
}

TEST_P(Logging, AWorkerThatCannotStartIsLogged) {
  auto store = Open();
  QueueWorker worker(store.Queue("jobs"), [](Message&) {}, {.name = "\xff"});
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return HasLine("could not start"); }));
}

TEST_P(Logging, AWorkerWhoseQueueIsGoneIsLogged) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  QueueWorker worker(queue, [](Message&) {});
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return store.EngineMetrics().waiting_consumers == 1; }));
  store.DeleteQueue("jobs", true);
  EXPECT_TRUE(Eventually([&] { return HasLine("does not exist any more"); }));
}

TEST_P(Logging, ACallbackThatThrowsDoesNoHarm) {
  config().log = [](const LogRecord&) { throw std::runtime_error("no room for logs"); };
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  QueueWorker worker(queue, [&](Message&) {
    worker.RequestStop();
    throw std::runtime_error("fails");
  });
  worker.Run();
  EXPECT_EQ(queue.Metrics().delayed, 1);
}

}  // namespace
}  // namespace pgqrs::testing
