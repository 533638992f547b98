#ifndef PGQRS_TESTS_SUPPORT_SEEDS_H_
#define PGQRS_TESTS_SUPPORT_SEEDS_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace pgqrs::testing {

// Random numbers that a seed repeats.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t Bits() { return engine_(); }

  // From `least` to `most`.
  std::int64_t From(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(engine_);
  }

  // True once in `n` times.
  bool OneIn(int n) { return From(1, n) == 1; }

  template <typename Container>
  auto& Pick(Container& from) {
    return from[static_cast<std::size_t>(From(0, static_cast<std::int64_t>(from.size()) - 1))];
  }

 private:
  std::mt19937_64 engine_;
};

// Calls `test(seed)` with the seeds 1 to n, or with the one that PGQRS_TEST_SEED names. A failure
// shows its seed.
template <typename F>
void ForEachSeed(std::uint64_t n, F test) {
  std::vector<std::uint64_t> seeds;
  if (const char* chosen = std::getenv("PGQRS_TEST_SEED"); chosen != nullptr) {
    seeds.push_back(std::stoull(chosen));
  } else {
    for (std::uint64_t seed = 1; seed <= n; ++seed) seeds.push_back(seed);
  }
  for (const auto seed : seeds) {
    SCOPED_TRACE("PGQRS_TEST_SEED=" + std::to_string(seed));
    test(seed);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_SEEDS_H_
