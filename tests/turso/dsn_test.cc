#include <filesystem>
#include <string>

#include "turso/turso_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Not;

std::string Refusal(const std::string& dsn) {
  return MessageOf<ConfigError>([&] { PgqrsStore::Connect(dsn); });
}

TEST(TursoDsn, MemoryIsADatabaseOfTheStoreAlone) {
  auto one = PgqrsStore::Connect("turso::memory:");
  auto two = PgqrsStore::Connect("turso::memory:");
  one.Queue("jobs").Enqueue("payload");
  EXPECT_EQ(two.ListQueues().size(), 0U);
  EXPECT_EQ(one.Queue("jobs").Dequeue()->payload().text(), "\"payload\"");
  one.Admin().Verify();
}

TEST(TursoDsn, WhatHasNoMeaningIsRefusedAndNamed) {
  EXPECT_THAT(Refusal("turso:"), HasSubstr("no path"));
  EXPECT_THAT(Refusal("turso:memory"), HasSubstr("did you mean turso::memory:"));
  EXPECT_THAT(Refusal("turso:q.db?synchronous=off"), HasSubstr("\"full\" or \"normal\""));
  EXPECT_THAT(Refusal("turso:q.db?cache=1"),
              AllOf(HasSubstr("\"cache\""), HasSubstr("Turso knows")));
  EXPECT_THAT(Refusal("turso:q.db?hexkey=5ec3e7"),
              AllOf(HasSubstr("cipher and hexkey"), Not(HasSubstr("5ec3e7"))));
}

TEST(TursoDsn, AKeyThatIsNoneIsRefusedAndNoKeyIsShown) {
  const std::string key(64, 'e');
  const auto encrypted = "turso:q.db?cipher=aegis256&hexkey=" + key;
  for (const auto& dsn :
       {"turso:q.db?cipher=rot13&hexkey=" + key, "turso:q.db?cipher=aegis128l&hexkey=" + key,
        "turso:q.db?cipher=aegis256&hexkey=" + key.substr(1) + "z",
        "turso:q.db&cipher=aegis256&hexkey=" + key, "turso:q.db?" + key,
        "turso:q.db?synchronous=full;hexkey=" + key, "turso:q.db?hexkey=" + key,
        encrypted + "&hexkey=1", "turso::memory:?cipher=aegis256&hexkey=" + key}) {
    EXPECT_THAT(Refusal(dsn), Not(AnyOf(HasSubstr("eeee"), HasSubstr("z")))) << dsn;
  }
  EXPECT_THAT(Refusal("turso:q.db?cipher=rot13&hexkey=" + key), HasSubstr("aegis256, aegis256x2"));
  EXPECT_THAT(Refusal("turso:q.db?cipher=aegis128l&hexkey=" + key), HasSubstr("32 hexadecimal"));
}

TEST(TursoDsn, AServerIsNoFile) {
  EXPECT_THAT(Refusal("turso://queue-ada.turso.io"), HasSubstr("only files"));
}

TEST_F(TursoTest, DurabilityCanBeGivenAway) {
  auto store = Open("?synchronous=normal");
  store.Queue("jobs").Enqueue("payload");
  EXPECT_TRUE(store.Queue("jobs").Dequeue());
}

TEST_F(TursoTest, APathThatCannotBeOpenedSaysWhy) {
  const auto refusal = [](const std::string& path) {
    return MessageOf<PgqrsConnectionError>([&] { PgqrsStore::Connect("turso:" + path); });
  };
  EXPECT_THAT(refusal(folder().path()), HasSubstr("it is a directory"));
  EXPECT_THAT(refusal(folder().File("missing/queue.db")), HasSubstr("does not exist"));
}

}  // namespace
}  // namespace pgqrs::testing
