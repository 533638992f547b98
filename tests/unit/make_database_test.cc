#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include "driver/driver.h"
#include "support/throws.h"

namespace pgqrs::testing {
namespace {

using driver::MakeDatabase;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(MakeDatabase, ABackendThatWasLeftOutIsRefusedByTheNameOfItsOption) {
  const Config config("turso::memory:");
#ifdef PGQRS_WITH_TURSO
  EXPECT_EQ(MakeDatabase(config)->dialect(), "turso");
#else
  EXPECT_THAT(MessageOf<ConfigError>([&] { MakeDatabase(config); }), HasSubstr("PGQRS_WITH_TURSO"));
#endif
}

TEST(MakeDatabase, AnUnknownSchemeIsAnsweredByThoseThatThereAre) {
  EXPECT_THAT(MessageOf<ConfigError>([] { MakeDatabase(Config("mysql://ada:s3cret@host/db")); }),
              AllOf(HasSubstr("sqlite:"), HasSubstr("turso:"), HasSubstr("postgresql://"),
                    Not(HasSubstr("s3cret"))));
}

}  // namespace
}  // namespace pgqrs::testing
