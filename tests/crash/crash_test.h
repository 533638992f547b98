// The fixture of the tests with several processes.
#ifndef PGQRS_TESTS_CRASH_CRASH_TEST_H_
#define PGQRS_TESTS_CRASH_CRASH_TEST_H_

#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <string>
#include <vector>

#include "crash/journal.h"
#include "support/names.h"
#include "support/process.h"
#include "support/temp_folder.h"

namespace pgqrs::testing {

class CrashTest : public ::testing::Test {
 protected:
  std::string database() const { return folder_.File("queue.db"); }
  const TempFolder& folder() const { return folder_; }

  // Starts this program in a role of child.h on the database, with a journal of its own where
  // `more` is what follows it.
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
  int started_ = 0;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CRASH_CRASH_TEST_H_
