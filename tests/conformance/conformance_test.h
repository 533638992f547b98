// The fixture of the conformance suite: what holds on every backend is tested here, once, through
// the public interface. A new backend adds an entry to Backends() and passes the suite unchanged.
#ifndef PGQRS_TESTS_CONFORMANCE_CONFORMANCE_TEST_H_
#define PGQRS_TESTS_CONFORMANCE_CONFORMANCE_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <string>
#include <string_view>
#include <vector>

#include "support/json_value.h"
#include "support/manual_clock.h"
#include "support/messages.h"
#include "support/names.h"
#include "support/temp_folder.h"
#include "support/throws.h"

namespace pgqrs::testing {

struct Backend {
  std::string_view name;

  // Whether a second store of this or another process can open the same database.
  bool is_shared;

  // Whether a payload comes back as it was written, and not only as the same JSON value.
  bool keeps_text;

  // The DSN of a new database in an empty folder.
  std::string (*new_dsn)(const TempFolder& folder);
};

// How GoogleTest shows a parameter.
void PrintTo(const Backend& backend, std::ostream* out);

const std::vector<Backend>& Backends();

class ConformanceTest : public ::testing::TestWithParam<Backend> {
 protected:
  ConformanceTest();

  // The configuration of the database of this test: with the clock, and without anything else that
  // is not the default. Change it before the first Open.
  Config& config() { return config_; }

  // Opens the database of this test. Where the backend is not shared, each call makes another one.
  PgqrsStore Open() { return PgqrsStore::Connect(config_); }

  // Whether a second store can open the same database. Where not, a test of two has to be skipped.
  static bool IsShared() { return GetParam().is_shared; }

  TempFolder& folder() { return folder_; }
  ManualClock& clock() { return clock_; }
  void Advance(Duration by) { clock_.Advance(by); }

  // For what only the real time can show, such as waiting for a message.
  void UseSystemClock() { config_.clock = nullptr; }

 private:
  TempFolder folder_;
  ManualClock clock_;
  Config config_;
};

// Runs the tests of a suite on every backend. To be written once for each suite.
#define PGQRS_ON_EVERY_BACKEND(suite)                                                            \
  INSTANTIATE_TEST_SUITE_P(Backends, suite, ::testing::ValuesIn(pgqrs::testing::Backends()),     \
                           [](const ::testing::TestParamInfo<pgqrs::testing::Backend>& tested) { \
                             return std::string(tested.param.name);                              \
                           })

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CONFORMANCE_CONFORMANCE_TEST_H_
