// What Postgres itself allows, in pipelines of prepared statements over one connection or several.
#ifndef PGQRS_BENCH_LIMITS_LIMIT_POSTGRES_H_
#define PGQRS_BENCH_LIMITS_LIMIT_POSTGRES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "limits/limit.h"
#include "limits/postgres_session.h"

namespace limits {

// A queue in the tables that pgqrs has installed in `schema`. Drain works through `connections`
// connections at once, each on a thread of its own, and sends the ack of one batch together with
// the dequeue of the next, as one transaction; everything else goes through the first of them.
class PostgresLimit final : public Limit {
 public:
  PostgresLimit(const std::string& dsn, const std::string& schema, std::string_view queue_name,
                int connections);
  ~PostgresLimit() override;

  void Enqueue(std::int64_t count, int batch_size, std::string_view payload) override;
  void EnqueueOne(std::string_view payload) override;
  int Dequeue(int want) override;
  void Ack() override;
  std::int64_t Drain(int want) override;
  void Verify(std::int64_t waiting, std::int64_t archived) override;

 private:
  class Consumer;

  // So many slices that they have `want` messages, and hardly more: what a statement locks, it
  // keeps from the others.
  std::int64_t SlicesFor(int want);
  void Insert(const std::vector<std::string>& batches, const std::vector<std::int64_t>& sizes);

  PostgresSession session_;   // Asks questions.
  PostgresSession producer_;  // In a pipeline.
  std::int64_t queue_id_ = 0;
  std::int64_t batch_size_ = 0;  // Of what is in the queue; 0 where it is not known yet.
  std::vector<std::unique_ptr<Consumer>> consumers_;
};

}  // namespace limits

#endif  // PGQRS_BENCH_LIMITS_LIMIT_POSTGRES_H_
