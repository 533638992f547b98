// What the length of the queue and of the archive cost: nothing, is the claim.
#include <pgqrs/pgqrs.h>

#include <memory>
#include <string>
#include <utility>

#include "measure.h"
#include "place.h"
#include "scenarios.h"
#include "workload.h"

namespace bench {
namespace {

constexpr int kWant = 50;
// Taken at a stretch, then enqueued again: the queue keeps its length.
constexpr std::int64_t kChunk = 500;

// One database, as it lies before the measurement.
struct Shape {
  std::string name;
  std::int64_t waiting = 0;
  std::int64_t archived = 0;
  int archive_batch = 0;
};

// A database of such a shape, with a consumer on it.
class Subject {
 public:
  Subject(const Options& options, Shape shape)
      : shape_(std::move(shape)),
        place_(NewPlace(options)),
        store_(Prepare(*place_, shape_)),
        queue_(store_.Queue(kQueueName)),
        refill_(MakePayloads(kChunk)) {}

  const Shape& shape() const { return shape_; }

  // Takes a chunk, and gives the seconds that it took. The chunk is replaced outside of these.
  double DrainChunk() {
    const Stopwatch watch;
    Quota quota(kChunk);
    DrainWithAcksOnTheWay(store_, queue_, kWant, quota, tally_);
    const auto seconds = watch.Seconds();
    queue_.EnqueueBatch(refill_);
    drained_ += kChunk;
    return seconds;
  }

  void Verify() {
    tally_.Verify(place_->options(), drained_);
    VerifyQueue(queue_, shape_.waiting, shape_.archived + drained_);
  }

 private:
  static pgqrs::PgqrsStore Prepare(const Place& place, const Shape& shape) {
    place.Open().Queue(kQueueName);
    if (shape.archived > 0) place.WriteArchive(shape.archived, shape.archive_batch);
    auto store = place.Open();
    auto queue = store.Queue(kQueueName);
    FillInBulk(queue, shape.waiting);
    place.Settle();
    return store;
  }

  Shape shape_;
  std::unique_ptr<Place> place_;
  pgqrs::PgqrsStore store_;
  pgqrs::Queue queue_;
  std::vector<pgqrs::Json> refill_;
  Tally tally_;
  std::int64_t drained_ = 0;
};

// Drains all of the subjects chunk by chunk in turn, so that whatever else slows the disk down hits
// them alike. Gives messages a second, by subject and round.
std::vector<std::vector<double>> MeasureInTurn(
    const Options& options, const std::vector<std::unique_ptr<Subject>>& subjects) {
  const auto chunks = options.Scaled(100, 10);
  std::vector<std::vector<double>> rates(subjects.size());
  for (int round = 0; round < options.rounds; ++round) {
    std::vector<double> seconds(subjects.size());
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      for (std::size_t i = 0; i < subjects.size(); ++i) seconds[i] += subjects[i]->DrainChunk();
    }
    std::string progress = "drain, round " + std::to_string(round + 1) + ":";
    for (std::size_t i = 0; i < subjects.size(); ++i) {
      rates[i].push_back(static_cast<double>(chunks * kChunk) / seconds[i]);
      progress +=
          " " + subjects[i]->shape().name + " " + WithUnit(rates[i].back(), kPerSecond) + ";";
    }
    progress.pop_back();
    SayProgress(progress);
  }
  return rates;
}

// Compares each of the shapes with the first one.
std::vector<Line> CompareShapes(const Options& options, const std::vector<Shape>& shapes,
                                double least_ratio) {
  std::vector<std::unique_ptr<Subject>> subjects;
  for (const auto& shape : shapes) {
    SayProgress("preparing: " + shape.name);
    subjects.push_back(std::make_unique<Subject>(options, shape));
  }
  const auto rates = MeasureInTurn(options, subjects);
  std::vector<Line> lines;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    subjects[i]->Verify();
    if (i == 0) continue;
    lines.push_back(CompareRounds("drain × 50, " + shapes[i].name + " ÷ " + shapes[0].name,
                                  rates[0], rates[i], least_ratio));
  }
  return lines;
}

}  // namespace

std::vector<Line> LongQueue(const Options& options) {
  const bool is_turso = options.backend == Backend::kTurso;
  const auto many = options.Scaled(is_turso ? 500'000 : 1'000'000, 10'000);
  return CompareShapes(options,
                       {{.name = "1,000 waiting", .waiting = 1000},
                        {.name = WithSeparators(many) + " waiting", .waiting = many}},
                       is_turso ? 0.8 : 0.9);
}

std::vector<Line> LongArchive(const Options& options) {
  const auto many = options.Scaled(options.is_postgres() ? options.archived : 5'000'000, 50'000);
  // Lone ones take Postgres minutes to write; their number hardly changes what is asked here.
  const auto lone = options.is_postgres() ? many / 10 : many;
  const auto shape = [](std::int64_t archived, int batch) {
    const auto name = WithSeparators(archived) + " archived in batches of " + std::to_string(batch);
    return Shape{.name = name, .waiting = 1000, .archived = archived, .archive_batch = batch};
  };
  return CompareShapes(
      options, {{.name = "none archived", .waiting = 1000}, shape(many, 64), shape(lone, 1)}, 0.9);
}

}  // namespace bench
