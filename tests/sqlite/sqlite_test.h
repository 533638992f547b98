// The fixture of the tests of what only SQLite has: a database file that other programs can open.
#ifndef PGQRS_TESTS_SQLITE_SQLITE_TEST_H_
#define PGQRS_TESTS_SQLITE_SQLITE_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <string>

#include "support/names.h"
#include "support/sqlite_shell.h"
#include "support/temp_folder.h"
#include "support/throws.h"

namespace pgqrs::testing {

class SqliteTest : public ::testing::Test {
 protected:
  SqliteTest() : path_(folder_.File("queue.db")), config_("sqlite://" + path_) {}

  Config& config() { return config_; }
  TempFolder& folder() { return folder_; }
  const std::string& path() const { return path_; }
  PgqrsStore Open() { return PgqrsStore::Connect(config_); }

  // The database as another program sees it.
  SqliteShell Shell() { return SqliteShell(path_); }

 private:
  TempFolder folder_;
  std::string path_;
  Config config_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SQLITE_SQLITE_TEST_H_
