// What SQLite itself allows: the tables of pgqrs, driven straight through the C API by a program
// that does nothing else. No threads, no validation, no leases that run out, no wake-ups.
#ifndef PGQRS_BENCH_LIMITS_LIMIT_SQLITE_H_
#define PGQRS_BENCH_LIMITS_LIMIT_SQLITE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "limits/sqlite_file.h"

namespace limits {

// The most messages that a batch can hold: one bit of the mask each.
inline constexpr int kMaxBatch = 64;

// A queue in a file of its own, made where it is missing. For one thread.
class SqliteLimit {
 public:
  SqliteLimit(const std::string& path, Durability durability);

  // Stores `count` messages of this payload in batches of `batch_size`, about 1,000 messages a
  // transaction.
  void Enqueue(std::int64_t count, int batch_size, std::string_view payload);

  // Stores one message in a transaction of its own.
  void EnqueueOne(std::string_view payload);

  // Takes up to `want` messages under a lease, in one transaction, and gives their number.
  int Dequeue(int want);

  // Archives what the last Dequeue took, in one transaction.
  void Ack();

  // Dequeue and Ack until nothing is left. Gives the number of messages.
  std::int64_t Drain(int want);

  // Throws unless the tables hold so many messages in each state, and every archived one once.
  void Verify(std::int64_t waiting, std::int64_t archived);

 private:
  struct Slice {
    std::int64_t id;
    std::uint64_t mask;
    int n;
    int read_ct;
  };

  void InsertBatch(int n, std::string_view payloads, std::int64_t now);
  void ReadVisible(int want, std::int64_t now);
  void Lease(const Slice& slice, std::int64_t now);
  Slice Split(const Slice& slice, int take, std::int64_t now);

  SqliteFile file_;
  Statement begin_;
  Statement commit_;
  Statement insert_batch_;
  Statement insert_slice_;
  Statement select_;
  Statement lease_;
  Statement shrink_;
  Statement insert_leased_;
  Statement delete_;
  Statement archive_;
  std::int64_t next_batch_ = 1;
  std::int64_t lease_token_ = 0;
  std::int64_t leased_at_ = 0;
  std::vector<Slice> visible_;
  std::vector<Slice> taken_;
  std::uint64_t payload_bytes_ = 0;
};

}  // namespace limits

#endif  // PGQRS_BENCH_LIMITS_LIMIT_SQLITE_H_
