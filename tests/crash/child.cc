#include "crash/child.h"

#include <pgqrs/pgqrs.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>
#include <thread>
#include <vector>

#include "crash/journal.h"
#include "crash/queue_calls.h"
#include "crash/sample_workflow.h"
#include "support/faulty_vfs.h"

namespace pgqrs::testing {
namespace {

using Arguments = std::vector<std::string>;

PgqrsStore Open(const std::string& dsn) {
  Config config(dsn);
  config.max_read_ct = 1000;
  return PgqrsStore::Connect(config);
}

Duration Milliseconds(const std::string& text) {
  return std::chrono::milliseconds(std::stoll(text));
}

// Payloads that no other call and no other process makes.
class Payloads {
 public:
  explicit Payloads(std::string name) : name_(std::move(name)) {}

  std::vector<Json> Next(int n) {
    std::vector<Json> payloads;
    payloads.reserve(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) payloads.emplace_back(name_ + "-" + std::to_string(next_++));
    return payloads;
  }

 private:
  std::string name_;
  int next_ = 0;
};

void Enqueue(Queue& queue, JournalWriter& journal, const std::vector<Json>& payloads) {
  const auto ids =
      payloads.size() == 1 ? std::vector{queue.Enqueue(payloads[0])} : queue.EnqueueBatch(payloads);
  journal.Enqueued(ids, payloads);
}

void AckAll(JournalWriter& journal, std::vector<Message>& messages) {
  for (auto& message : messages) {
    if (message.Ack()) {
      journal.Acked(message);
    } else {
      journal.Refused(message);
    }
  }
}

int Produce(const Arguments& arguments) {
  auto store = Open(arguments.at(1));
  auto queue = store.Queue("jobs");
  JournalWriter journal(arguments.at(2));
  Payloads payloads(arguments.at(3));
  const auto pause = Milliseconds(arguments.at(4));
  for (;;) {
    Enqueue(queue, journal, payloads.Next(1));
    Enqueue(queue, journal, payloads.Next(7));
    Enqueue(queue, journal, payloads.Next(1));
    std::this_thread::sleep_for(pause);
  }
}

int Work(const Arguments& arguments) {
  auto store = Open(arguments.at(1));
  auto queue = store.Queue("jobs");
  JournalWriter journal(arguments.at(2));
  const auto lease = Milliseconds(arguments.at(3));
  for (int count = 1;; count = count % 5 + 1) {
    auto messages = queue.DequeueBatchWait(count, std::chrono::seconds(1), lease);
    journal.Taken(messages);
    AckAll(journal, messages);
  }
}

void ShareOn(PgqrsStore& store, JournalWriter& journal, const std::string& name, int count) {
  auto queue = store.Queue("jobs");
  Payloads payloads(name);
  for (int i = 0; i < count; ++i) {
    Enqueue(queue, journal, payloads.Next(1));
    auto messages = queue.DequeueBatch(1);
    journal.Taken(messages);
    AckAll(journal, messages);
  }
}

int Share(const Arguments& arguments) {
  auto store = Open(arguments.at(1));
  JournalWriter journal(arguments.at(2));
  const int count = std::stoi(arguments.at(4));
  const int threads = std::stoi(arguments.at(5));
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) {
    others.emplace_back(
        [&, i] { ShareOn(store, journal, arguments.at(3) + "-" + std::to_string(i), count); });
  }
  ShareOn(store, journal, arguments.at(3), count);
  for (auto& other : others) other.join();
  return 0;
}

int Hold(const Arguments& arguments) {
  auto store = Open(arguments.at(1));
  auto queue = store.Queue("jobs");
  JournalWriter journal(arguments.at(2));
  auto messages = queue.DequeueBatch(std::stoi(arguments.at(3)), Milliseconds(arguments.at(4)));
  journal.Taken(messages);
  while (!std::filesystem::exists(arguments.at(2) + ".go")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  AckAll(journal, messages);
  return 0;
}

int Do(const Arguments& arguments) {
  FaultyVfs vfs;
  const auto kind = static_cast<IoCall>(std::stoi(arguments.at(3)));
  MakeCall(arguments.at(2), arguments.at(1),
           [&] { vfs.Fail(kind, std::stoll(arguments.at(4)), IoFault::kKill); });
  return 0;
}

constexpr auto kRunPatience = std::chrono::seconds(60);

int Flow(const Arguments& arguments) {
  constexpr std::size_t kAtATime = 6;
  auto store = Open(arguments.at(1));
  JournalWriter journal(arguments.at(2));
  const std::filesystem::path path(arguments.at(2));
  const auto sample = DefineSample(BodyNotes((path.parent_path() / "notes").string()));
  WorkflowWorker worker(store, {sample.parent, sample.child},
                        {.concurrency = 3, .lease = std::chrono::seconds(1)});
  worker.Start();
  std::deque<pgqrs::Run<std::string>> runs;
  for (int i = 0;; ++i) {
    const auto key = arguments.at(3) + "-" + std::to_string(i);
    runs.push_back(store.Trigger(sample.parent, i, {.idempotency_key = key}));
    journal.Triggered(runs.back().id(), key);
    store.Workflows().SendEvent(runs.back().id(), "go", ToJson(i));
    if (runs.size() < kAtATime) continue;
    journal.Succeeded(runs.front().id(), runs.front().ResultJson(kRunPatience));
    runs.pop_front();
  }
}

// Executes one run of the sample to its end.
void ExecuteRun(PgqrsStore& store, const SampleWorkflows& sample, std::int64_t run_id) {
  WorkflowWorker worker(store, {sample.parent, sample.child}, {.lease = std::chrono::minutes(10)});
  worker.Start();
  store.Workflows().Get(run_id).ResultJson(kRunPatience);
}

int DieAtBoundary(const Arguments& arguments) {
  auto store = Open(arguments.at(1));
  std::atomic<int> left = std::stoi(arguments.at(5));
  const auto sample = DefineSample(BodyNotes(arguments.at(3)), [&](const std::string& name) {
    if (--left != 0) return;
    std::ofstream(arguments.at(6)) << name;
    kill(getpid(), SIGKILL);
  });
  ExecuteRun(store, sample, std::stoll(arguments.at(4)));
  return 0;
}

int DieAtSystemCall(const Arguments& arguments) {
  FaultyVfs vfs;
  auto store = Open(arguments.at(1));
  const auto kind = static_cast<IoCall>(std::stoi(arguments.at(5)));
  const auto nth = std::stoll(arguments.at(6));
  const auto before = vfs.Calls(kind);
  if (nth != 0) vfs.Fail(kind, nth, IoFault::kKill);
  ExecuteRun(store, DefineSample(BodyNotes(arguments.at(3))), std::stoll(arguments.at(4)));
  if (nth == 0) std::ofstream(arguments.at(7)) << vfs.Calls(kind) - before;
  return 0;
}

}  // namespace

int RunChild(const Arguments& arguments) {
  static const std::map<std::string, int (*)(const Arguments&)> kRoles = {
      {"produce", Produce},
      {"work", Work},
      {"share", Share},
      {"hold", Hold},
      {"do", Do},
      {"flow", Flow},
      {"boundary", DieAtBoundary},
      {"execute", DieAtSystemCall}};
  try {
    return kRoles.at(arguments.at(0))(arguments);
  } catch (const std::exception& error) {
    std::cerr << arguments.at(0) << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace pgqrs::testing
