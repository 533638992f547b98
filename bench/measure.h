// Clocks, medians, fresh folders, and rounds in which the contestants alternate.
#ifndef PGQRS_BENCH_MEASURE_H_
#define PGQRS_BENCH_MEASURE_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "options.h"

namespace bench {

class Place;

double Median(std::vector<double> values);

// The value that the given fraction (0 to 1) of the values does not exceed.
double Percentile(std::vector<double> values, double fraction);

class Stopwatch {
 public:
  double Seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  double Milliseconds() const { return Seconds() * 1e3; }
  double Rate(std::int64_t count) const { return static_cast<double>(count) / Seconds(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

// A new folder, removed with all that is in it.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::filesystem::path& parent);
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// One side of a comparison: does its work on the database of the place, checks that it was done,
// and gives a figure.
struct Contestant {
  std::string name;
  std::function<double(const Place& place)> run;
};

// Runs every contestant once a round, each time in a new place. Who begins changes from round to
// round, so that nobody always has the better place. Gives the figures by contestant.
std::vector<std::vector<double>> RunRounds(const Options& options, std::string_view scenario,
                                           std::span<const Contestant> contestants);

// Says on stderr how far it is.
void SayProgress(std::string_view what);

// Throws where something went another way than it must.
void Expect(bool condition, std::string_view what);
void ExpectEqual(std::int64_t found, std::int64_t expected, std::string_view what);

}  // namespace bench

#endif  // PGQRS_BENCH_MEASURE_H_
