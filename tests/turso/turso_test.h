// The fixture of the tests of what only Turso has.
#ifndef PGQRS_TESTS_TURSO_TURSO_TEST_H_
#define PGQRS_TESTS_TURSO_TURSO_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <string>

#include "support/names.h"
#include "support/temp_folder.h"
#include "support/throws.h"

namespace pgqrs::testing {

class TursoTest : public ::testing::Test {
 protected:
  TursoTest() : path_(folder_.File("queue.db")) {}

  TempFolder& folder() { return folder_; }
  const std::string& path() const { return path_; }
  PgqrsStore Open(const std::string& parameters = "") {
    return PgqrsStore::Connect("turso://" + path_ + parameters);
  }

 private:
  TempFolder folder_;
  std::string path_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_TURSO_TURSO_TEST_H_
