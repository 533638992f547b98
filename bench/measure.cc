#include "measure.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "place.h"
#include "report.h"

namespace bench {

double Median(std::vector<double> values) {
  Expect(!values.empty(), "a median of nothing");
  std::ranges::sort(values);
  const auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double Percentile(std::vector<double> values, double fraction) {
  Expect(!values.empty(), "a percentile of nothing");
  std::ranges::sort(values);
  const auto rank = std::ceil(fraction * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

ScratchFolder::ScratchFolder(const std::filesystem::path& parent) {
  auto name = (parent / "XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(),
                            "making a folder in " + parent.string());
  }
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::vector<double>> RunRounds(const Options& options, std::string_view scenario,
                                           std::span<const Contestant> contestants) {
  std::vector<std::vector<double>> figures(contestants.size());
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      const auto turn = (static_cast<std::size_t>(round) + i) % contestants.size();
      const auto place = NewPlace(options);
      figures[turn].push_back(contestants[turn].run(*place));
    }
    std::string progress(scenario);
    progress += ", round " + std::to_string(round + 1) + ":";
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      progress += " " + contestants[i].name + " " + WithUnit(figures[i].back(), kPerSecond) + ";";
    }
    progress.pop_back();
    SayProgress(progress);
  }
  return figures;
}

void SayProgress(std::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
}

void Expect(bool condition, std::string_view what) {
  if (!condition) throw std::runtime_error(std::string(what));
}

void ExpectEqual(std::int64_t found, std::int64_t expected, std::string_view what) {
  if (found == expected) return;
  throw std::runtime_error(std::string(what) + ": " + std::to_string(found) + ", not " +
                           std::to_string(expected));
}

}  // namespace bench
