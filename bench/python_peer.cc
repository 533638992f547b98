// The C++ side of the benchmark of the Python package, each part in a process of its own, as the
// other sides are.
#include <pgqrs/pgqrs.h>

#include <algorithm>
#include <string>
#include <vector>

#include "child_process.h"
#include "measure.h"
#include "place.h"
#include "scenarios.h"
#include "server.h"
#include "workload.h"

namespace bench {
namespace {

constexpr int kDrainBatch = 50;
constexpr int kEnqueueBatch = 1000;

// The time and the CPU of this process since it was made.
class Meter {
 public:
  nlohmann::json Figures(std::int64_t count) const {
    const auto messages = static_cast<double>(count);
    return {{"rate", messages / watch_.Seconds()},
            {"cpu_us", (CpuSeconds() - cpu_) * 1e6 / messages}};
  }

 private:
  double cpu_ = CpuSeconds();
  Stopwatch watch_;
};

}  // namespace

int FillChild(const Options& options, const std::string& database, std::int64_t count) {
  auto store = OpenStore(options, database);
  auto queue = store.Queue(kQueueName);
  FillInBulk(queue, count);
  Answer({{"filled", count}});
  return 0;
}

int DrainChild(const Options& options, const std::string& database, std::int64_t count) {
  auto store = OpenStore(options, database);
  auto queue = store.Queue(kQueueName);
  auto consumer = queue.NewConsumer();
  Quota quota(count);
  Tally tally;
  const Meter meter;
  DrainStepByStep(store, consumer, kDrainBatch, quota, tally);
  const auto figures = meter.Figures(count);
  tally.Verify(options, count);
  VerifyQueue(queue, 0, count);
  Answer(figures);
  return 0;
}

int EnqueueChild(const Options& options, const std::string& database, std::int64_t count) {
  auto store = OpenStore(options, database);
  auto queue = store.Queue(kQueueName);
  const auto payloads = MakePayloads(kEnqueueBatch);
  const Meter meter;
  for (std::int64_t i = 0; i < count / kEnqueueBatch; ++i) queue.EnqueueBatch(payloads);
  const auto figures = meter.Figures(count);
  VerifyQueue(queue, count, 0);
  Answer(figures);
  return 0;
}

}  // namespace bench
