#ifndef PGQRS_TESTS_SUPPORT_SEED_H_
#define PGQRS_TESTS_SUPPORT_SEED_H_

#include <cstdint>
#include <random>
#include <vector>

namespace pgqrs::testing {

// An integer from the environment, or the default.
std::int64_t FromEnvironment(const char* name, std::int64_t otherwise);

// True where the program is built with a sanitizer, which makes it some ten times slower.
bool IsSanitized();

// Random numbers for one test. The seed is printed; PGQRS_TEST_SEED repeats a run.
class Seeded {
 public:
  Seeded();

  // A number from `least` to `most`.
  std::int64_t Pick(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution(least, most)(random_);
  }
  // Numbers from 1 to n, evenly spread from a random start on; all of them where `how_many` is
  // more.
  std::vector<std::int64_t> Spread(std::int64_t n, std::int64_t how_many);

  bool Coin() { return Pick(0, 1) == 1; }

 private:
  std::mt19937_64 random_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_SEED_H_
