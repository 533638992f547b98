#ifndef PGQRS_TESTS_CRASH_JOURNAL_H_
#define PGQRS_TESTS_CRASH_JOURNAL_H_

#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace pgqrs::testing {

// What a process notes about what the store has answered, in a file that outlives its death: each
// note is one write(2).
class JournalWriter {
 public:
  explicit JournalWriter(const std::string& path);
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;
  ~JournalWriter();

  void Enqueued(std::span<const std::int64_t> ids, std::span<const Json> payloads);
  void Taken(std::span<const Message> messages);
  // The answer of an ack was true.
  void Acked(const Message& message);
  // Its answer was false.
  void Refused(const Message& message);

  void Triggered(std::int64_t run_id, const std::string& key);
  void Succeeded(std::int64_t run_id, const Json& output);

 private:
  void Write(const std::string& lines);

  int file_;
};

// One hand-out of a message.
struct Delivery {
  int read_count = 0;
  std::int64_t dequeued_at = 0;
  std::int64_t lease_end = 0;
  std::string payload;
  std::string process;  // The file of the journal.
};

// What all journals say together.
struct Journals {
  std::map<std::int64_t, std::string> enqueued;              // The payload by id.
  std::map<std::int64_t, std::vector<Delivery>> deliveries;  // By id.
  std::map<std::int64_t, int> acked;                         // The read count by id.
  std::vector<std::int64_t> refused;
  std::map<std::int64_t, std::string> triggered;  // The key by run.
  std::map<std::int64_t, std::string> succeeded;  // The output by run, as JSON.
  std::map<std::string, std::int64_t> acks_of;    // Acks by process.

  // Reads every file *.journal of the folder. A last line without an end is left out. Fails the
  // running test where an id was given or acked twice.
  static Journals Read(const std::string& folder);

  // Fails the running test where two deliveries of a message overlap, one came after its ack, or
  // its read counts do not rise.
  void CheckDeliveries() const;

 private:
  void AddLine(const std::string& process, const std::string& line);
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CRASH_JOURNAL_H_
