#include "support/seed.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PGQRS_TESTS_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PGQRS_TESTS_SANITIZED
#endif

namespace pgqrs::testing {

std::int64_t FromEnvironment(const char* name, std::int64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::stoll(value);
}

bool IsSanitized() {
#ifdef PGQRS_TESTS_SANITIZED
  return true;
#else
  return false;
#endif
}

Seeded::Seeded() {  // NOLINT(*-random-generator-seed): it comes in the end.
  const auto seed = FromEnvironment("PGQRS_TEST_SEED", std::random_device{}());
  std::cout << "PGQRS_TEST_SEED=" << seed << '\n';
  random_.seed(static_cast<std::uint64_t>(seed));
}

std::vector<std::int64_t> Seeded::Spread(std::int64_t n, std::int64_t how_many) {
  const auto step = std::max<std::int64_t>(1, (n + how_many - 1) / how_many);
  std::vector<std::int64_t> numbers;
  for (auto number = Pick(1, step); number <= n; number += step) numbers.push_back(number);
  return numbers;
}

}  // namespace pgqrs::testing
