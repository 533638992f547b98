// The fixture of the tests with several processes.
#ifndef PGQRS_TESTS_CRASH_CRASH_TEST_H_
#define PGQRS_TESTS_CRASH_CRASH_TEST_H_

#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <string>
#include <utility>
#include <vector>

#include "crash/journal.h"
#include "support/names.h"
#include "support/postgres_server.h"
#include "support/process.h"
#include "support/temp_folder.h"

namespace pgqrs::testing {

class CrashTest : public ::testing::Test {
 protected:
  // Where the messages are: a file of SQLite, or what UseDsn() has named before all else.
  std::string dsn() const { return dsn_.empty() ? "sqlite://" + database() : dsn_; }
  void UseDsn(std::string dsn) { dsn_ = std::move(dsn); }
  std::string database() const { return folder_.File("queue.db"); }
  const TempFolder& folder() const { return folder_; }

  // Starts this program in a role of child.h on the database, with a journal of its own where the
  // role keeps one; `more` is what follows.
  Process Start(const std::string& role, std::vector<std::string> more);

  // A store of this process, whose clock is ahead of the others' by so much.
  PgqrsStore Open(Duration ahead = Duration::zero()) const;

  // Waits until the last process that was started has written its first note.
  void AwaitFirstNote(Process& process) const;

  Journals ReadJournals() const { return Journals::Read(folder_.path().string()); }

  // Fails the test where the database lacks anything that the journals say, has anything that it
  // should not have, or is not sound. Other processes may be at work meanwhile.
  void CheckAgainstJournals() const;

  // Takes and acks everything that is left, the leases of the dead included.
  void Drain();

 private:
  std::string LastJournal() const;

  TempFolder folder_;
  std::string dsn_;
  int started_ = 0;
};

// The same on each backend, which the parameter names.
class CrashTestOnEach : public CrashTest, public ::testing::WithParamInterface<const char*> {
 protected:
  CrashTestOnEach() {
    if (GetParam() == std::string("postgres")) UseDsn(SharedPostgres().NewDatabase());
  }
};

inline constexpr const char* kBackends[] = {"sqlite", "postgres"};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CRASH_CRASH_TEST_H_
