// What a database itself allows: the tables of pgqrs, driven straight through the C API of the
// database by a program that does nothing else. No validation, no leases that run out, no wake-ups.
#ifndef PGQRS_BENCH_LIMITS_LIMIT_H_
#define PGQRS_BENCH_LIMITS_LIMIT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace limits {

// The most messages that a batch can hold: one bit of the mask each.
inline constexpr int kMaxBatch = 64;
// Of what is enqueued in bulk, about so many messages are one transaction.
inline constexpr int kTransactionSize = 1024;

enum class Durability : std::uint8_t {
  kOff,     // For making test data only.
  kNormal,  // Survives the death of the process.
  kFull,    // Survives the loss of power.
};

// As `PRAGMA synchronous` names it.
const char* Name(Durability durability);

// One queue. For one thread.
class Limit {
 public:
  Limit() = default;
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
  virtual ~Limit() = default;

  // Stores `count` messages of this payload in batches of `batch_size`, kTransactionSize messages a
  // transaction.
  virtual void Enqueue(std::int64_t count, int batch_size, std::string_view payload) = 0;

  // Stores one message in a transaction of its own.
  virtual void EnqueueOne(std::string_view payload) = 0;

  // Takes up to `want` messages under a lease, in one transaction, and gives their number.
  virtual int Dequeue(int want) = 0;

  // Archives what the last Dequeue took, in one transaction.
  virtual void Ack() = 0;

  // Takes `want` messages at a time and archives them, until nothing is left. Gives their number.
  virtual std::int64_t Drain(int want) = 0;

  // Throws unless the tables hold so many messages in each state, and every archived one once.
  virtual void Verify(std::int64_t waiting, std::int64_t archived) = 0;
};

// The mistakes that Verify finds, worded once: `found` of `what`, where `expected` must be.
void ExpectNumber(std::int64_t found, std::int64_t expected, std::string_view what);

// A batch of `n` times this payload.
std::string JsonArray(std::string_view payload, int n);

}  // namespace limits

#endif  // PGQRS_BENCH_LIMITS_LIMIT_H_
