// What a database in a file itself allows, by one connection without threads.
#ifndef PGQRS_BENCH_LIMITS_LIMIT_FILE_H_
#define PGQRS_BENCH_LIMITS_LIMIT_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "limits/limit.h"
#include "limits/sqlite_file.h"
#ifdef PGQRS_WITH_TURSO
#include "limits/turso_file.h"
#endif

namespace limits {

// A queue in a file of its own, made where it is missing. `File` is an interface to it.
template <typename File>
class FileLimit final : public Limit {
 public:
  FileLimit(const std::string& path, Durability durability);

  void Enqueue(std::int64_t count, int batch_size, std::string_view payload) override;
  void EnqueueOne(std::string_view payload) override;
  int Dequeue(int want) override;
  void Ack() override;
  std::int64_t Drain(int want) override;
  void Verify(std::int64_t waiting, std::int64_t archived) override;

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

  using Statement = typename File::Statement;

  File file_;
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

using SqliteLimit = FileLimit<SqliteFile>;
#ifdef PGQRS_WITH_TURSO
using TursoLimit = FileLimit<TursoFile>;
#endif

}  // namespace limits

#endif  // PGQRS_BENCH_LIMITS_LIMIT_FILE_H_
