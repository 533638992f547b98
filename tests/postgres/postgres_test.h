// The fixture of the tests of what only Postgres has: a database that other programs can open.
#ifndef PGQRS_TESTS_POSTGRES_POSTGRES_TEST_H_
#define PGQRS_TESTS_POSTGRES_POSTGRES_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <string>
#include <vector>

#include "support/names.h"
#include "support/postgres_server.h"
#include "support/postgres_shell.h"
#include "support/throws.h"

namespace pgqrs::testing {

class PostgresTest : public ::testing::Test {
 protected:
  PostgresTest() = default;
  ~PostgresTest() override {
    for (const auto& role : roles_) {
      auto shell = Shell();
      if (shell.Query("SELECT FROM pg_roles WHERE rolname = '" + role + "'").empty()) continue;
      shell.Execute("DROP OWNED BY " + role);
      shell.Execute("DROP ROLE " + role);
    }
  }

  Config& config() { return config_; }
  PgqrsStore Open() { return PgqrsStore::Connect(config_); }

  // The database as another program sees it.
  PostgresShell Shell() { return PostgresShell(dsn_); }

  // A name that no role has. One that the test makes of this name is dropped after it.
  std::string NewRoleName() {
    roles_.push_back(SharedPostgres().NewSchema());  // A name that nobody else has.
    return roles_.back();
  }

  // Takes the message with this id and payload, which has to be like one that the library stored.
  static void ExpectOrdinary(PgqrsStore& store, std::int64_t id, const std::string& payload) {
    auto message = store.Queue("jobs").Dequeue();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->id(), id);
    EXPECT_EQ(message->payload().text(), payload);
    EXPECT_EQ(message->priority(), 5);
    EXPECT_EQ(message->read_count(), 1);
    EXPECT_EQ(message->producer_worker_id(), 0);
    EXPECT_EQ(message->enqueued_at(), message->visible_at());
    EXPECT_TRUE(message->Ack());
    store.Admin().Verify();
  }

  // Makes a role that may do nothing in this database but what everybody may.
  std::string NewRole() {
    auto role = NewRoleName();
    Shell().Execute("CREATE ROLE " + role);
    return role;
  }

  // The DSN with which all is done as this role.
  std::string DsnAs(const std::string& role) const {
    return DsnWith("options=-c%20role%3D" + role);
  }

  // The DSN with a parameter more. Spaces and such are to be percent-encoded.
  std::string DsnWith(const std::string& parameter) const {
    return dsn_ + (dsn_.find('?') == std::string::npos ? "?" : "&") + parameter;
  }

 private:
  const std::string dsn_ = SharedPostgres().NewDatabase();
  Config config_{dsn_};
  std::vector<std::string> roles_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_POSTGRES_POSTGRES_TEST_H_
