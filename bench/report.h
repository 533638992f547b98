// The results: a table for people and a JSON document for programs.
#ifndef PGQRS_BENCH_REPORT_H_
#define PGQRS_BENCH_REPORT_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

inline constexpr std::string_view kPerSecond = "/s";
inline constexpr std::string_view kMicroseconds = "µs";
inline constexpr std::string_view kMilliseconds = "ms";
inline constexpr std::string_view kPercent = "%";
inline constexpr std::string_view kMebibytes = "MiB";
inline constexpr std::string_view kBytes = "B";

// One figure with what it is compared to. At most one of the two targets is set; without any the
// figure is for information.
struct Line {
  std::string name;
  std::string_view backend = "";  // Set by the program.
  std::string_view unit = kPerSecond;
  std::optional<double> limit;
  double pgqrs = 0;
  std::optional<double> ratio;  // pgqrs ÷ limit.
  std::optional<double> least_ratio;
  std::optional<double> most;  // `pgqrs` has to stay below.
  // What each round gave, and whatever else is worth keeping.
  std::vector<double> limit_rounds;
  std::vector<double> pgqrs_rounds;
  nlohmann::json details = nlohmann::json::object();

  // Nothing where there is no target.
  std::optional<bool> IsReached() const;
};

// A line that compares rounds of the same number on both sides. Its ratio is the median of the
// rounds' own: the two sides of one round ran next to each other, while the disk's speed drifts
// from round to round.
Line CompareRounds(std::string name, std::vector<double> limit, std::vector<double> pgqrs,
                   std::optional<double> least_ratio);

struct Failure {
  std::string scenario;
  std::string error;
};

struct Report {
  std::vector<Line> lines;
  std::vector<Failure> failures;

  std::string Table() const;
  nlohmann::json ToJson() const;
};

// "1,150,000 /s", "0.412 ms".
std::string WithUnit(double value, std::string_view unit);
std::string WithSeparators(std::int64_t number);

}  // namespace bench

#endif  // PGQRS_BENCH_REPORT_H_
