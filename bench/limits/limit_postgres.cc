#include "limits/limit_postgres.h"

#include <algorithm>
#include <future>
#include <stdexcept>

namespace limits {
namespace {

constexpr const char* kEnqueue = "enqueue";
constexpr const char* kDequeue = "dequeue";
constexpr const char* kAck = "ack";

// $1 queue, $2 batches, $3 their sizes. The key of a full slice is its highest position and that of
// a part its lowest, so that the keys of a batch never meet: the highest position stays with the
// rest until nothing is split off.
constexpr const char* kEnqueueSql = R"sql(
WITH batch AS (
  INSERT INTO pgqrs_batches (queue_id, id, n, enqueued_at, producer_worker_id, payloads)
  SELECT $1::bigint, nextval('pgqrs_batch_ids'), each.n, clock_timestamp(), 1, each.payloads
  FROM unnest($2::jsonb[], $3::bigint[]) AS each (payloads, n)
  RETURNING id, n, enqueued_at
)
INSERT INTO pgqrs_slices (queue_id, id, mask, visible_at, priority, n)
SELECT $1, id * 64 + n - 1, CASE WHEN n = 64 THEN -1 ELSE (1::bigint << n) - 1 END, enqueued_at, 5, n
FROM batch)sql";

// $1 queue, $2 wanted messages, $3 slices to look at, $4 lease token.
constexpr const char* kDequeueSql = R"sql(
WITH visible AS (
  SELECT id, mask, n, read_ct, visible_at FROM pgqrs_slices
  WHERE queue_id = $1::bigint AND priority = 5 AND visible_at <= clock_timestamp()
  ORDER BY visible_at, id LIMIT $3::bigint
  FOR UPDATE SKIP LOCKED
), counted AS (
  SELECT id, mask, n, read_ct, sum(n) OVER (ORDER BY visible_at, id) - n AS before FROM visible
), whole AS (
  UPDATE pgqrs_slices AS s
  SET visible_at = clock_timestamp() + interval '30 s', read_ct = s.read_ct + 1, worker_id = 1,
    lease_token = $4::bigint, leased_at = clock_timestamp()
  FROM counted AS c
  WHERE s.queue_id = $1 AND s.id = c.id AND c.before + c.n <= $2::bigint
  RETURNING s.id, s.n
), cut AS (
  SELECT c.id, c.read_ct, part.mask, part.lowest, $2 - c.before AS n
  FROM counted AS c
    CROSS JOIN LATERAL (
      SELECT bit_or(1::bigint << i) AS mask, min(i) AS lowest
      FROM (
        SELECT i FROM generate_series(0, 63) AS i
        WHERE (c.mask >> i) & 1 = 1 ORDER BY i LIMIT $2 - c.before
      ) AS bits
    ) AS part
  WHERE c.before < $2 AND c.before + c.n > $2
), rest AS (
  UPDATE pgqrs_slices AS s SET mask = s.mask & ~cut.mask, n = s.n - cut.n
  FROM cut WHERE s.queue_id = $1 AND s.id = cut.id
), part AS (
  INSERT INTO pgqrs_slices
    (queue_id, id, mask, visible_at, worker_id, lease_token, leased_at, read_ct, priority, n)
  SELECT $1, (id >> 6 << 6) + lowest, mask, clock_timestamp() + interval '30 s', 1, $4,
    clock_timestamp(), read_ct + 1, 5, n
  FROM cut
  RETURNING id, n
)
SELECT taken.id, taken.n::bigint, b.payloads
FROM (SELECT * FROM whole UNION ALL SELECT * FROM part) AS taken
  JOIN pgqrs_batches AS b ON b.queue_id = $1 AND b.id = taken.id >> 6)sql";

// $1 queue, $2 slices, $3 lease token.
constexpr const char* kAckSql = R"sql(
WITH finished AS (
  DELETE FROM pgqrs_slices
  WHERE queue_id = $1::bigint AND id = ANY ($2::bigint[]) AND lease_token = $3::bigint
  RETURNING id, mask, n, priority, read_ct, worker_id, leased_at
)
INSERT INTO pgqrs_archive
  (queue_id, batch_id, mask, worker_id, leased_at, archived_at, read_ct, priority, n, dead)
SELECT $1, id >> 6, mask, worker_id, leased_at, clock_timestamp(), read_ct, priority, n, false
FROM finished)sql";

}  // namespace

// One connection that takes messages and archives them. For one thread.
class PostgresLimit::Consumer {
 public:
  Consumer(const std::string& dsn, const std::string& schema, std::int64_t queue_id,
           std::int64_t first_token)
      : session_(dsn, schema), queue_id_(queue_id), token_(first_token) {
    session_.Prepare(kDequeue, kDequeueSql);
    session_.Prepare(kAck, kAckSql);
    session_.EnterPipeline();
  }

  int Dequeue(int want, std::int64_t slices) {
    SendDequeue(want, slices);
    session_.Sync();
    return TakeAnswer();
  }

  void Ack() {
    SendAck();
    session_.Sync();
    CheckAcked(session_.ReceiveLast());
  }

  std::int64_t Drain(int want, std::int64_t slices) {
    std::int64_t drained = 0;
    for (int got = Dequeue(want, slices); got > 0;) {
      drained += got;
      SendAck();
      SendDequeue(want, slices);
      session_.Sync();
      CheckAcked(session_.Receive());
      got = TakeAnswer();
    }
    return drained;
  }

  std::uint64_t payload_bytes() const { return payload_bytes_; }

 private:
  void SendDequeue(int want, std::int64_t slices) {
    Parameters parameters;
    parameters.Add(queue_id_).Add(want).Add(slices).Add(++token_);
    session_.Send(kDequeue, parameters);
  }

  void SendAck() {
    Parameters parameters;
    parameters.Add(queue_id_).Add(taken_).Add(token_);
    session_.Send(kAck, parameters);
  }

  int TakeAnswer() {
    const auto result = session_.ReceiveLast();
    taken_.clear();
    std::int64_t messages = 0;
    for (int row = 0; row < result.rows(); ++row) {
      taken_.push_back(result.Int(row, 0));
      messages += result.Int(row, 1);
      payload_bytes_ += result.Bytes(row, 2).size();
    }
    expected_acks_ = static_cast<std::int64_t>(taken_.size());
    return static_cast<int>(messages);
  }

  void CheckAcked(const PostgresResult& result) const {
    if (result.changed_rows() != expected_acks_) throw std::runtime_error("a lease was lost");
  }

  PostgresSession session_;
  std::int64_t queue_id_;
  std::int64_t token_;
  std::vector<std::int64_t> taken_;
  std::int64_t expected_acks_ = 0;
  std::uint64_t payload_bytes_ = 0;
};

PostgresLimit::PostgresLimit(const std::string& dsn, const std::string& schema,
                             std::string_view queue_name, int connections)
    : session_(dsn, schema), producer_(dsn, schema) {
  constexpr std::int64_t kTokensPerConsumer = std::int64_t{1} << 40;
  queue_id_ = session_.Number("SELECT id FROM pgqrs_queues WHERE queue_name = '" +
                              std::string(queue_name) + "'");
  producer_.Prepare(kEnqueue, kEnqueueSql);
  producer_.EnterPipeline();
  for (int i = 0; i < connections; ++i) {
    consumers_.push_back(
        std::make_unique<Consumer>(dsn, schema, queue_id_, kTokensPerConsumer * i));
  }
}

PostgresLimit::~PostgresLimit() = default;

void PostgresLimit::Enqueue(std::int64_t count, int batch_size, std::string_view payload) {
  batch_size_ = batch_size;
  const int batches = std::max(1, kTransactionSize / batch_size);
  std::vector<std::string> payloads;
  std::vector<std::int64_t> sizes;
  for (std::int64_t left = count; left > 0;) {
    payloads.clear();
    sizes.clear();
    for (int i = 0; i < batches && left > 0; ++i) {
      const int n = static_cast<int>(std::min<std::int64_t>(batch_size, left));
      payloads.push_back(JsonArray(payload, n));
      sizes.push_back(n);
      left -= n;
    }
    Insert(payloads, sizes);
  }
}

void PostgresLimit::EnqueueOne(std::string_view payload) { Insert({JsonArray(payload, 1)}, {1}); }

void PostgresLimit::Insert(const std::vector<std::string>& batches,
                           const std::vector<std::int64_t>& sizes) {
  Parameters parameters;
  parameters.Add(queue_id_).AddJsonArrays(batches).Add(sizes);
  producer_.Send(kEnqueue, parameters);
  producer_.Sync();
  producer_.ReceiveLast();
}

std::int64_t PostgresLimit::SlicesFor(int want) {
  if (batch_size_ == 0) {
    batch_size_ = std::max<std::int64_t>(
        1, session_.Number("SELECT n FROM pgqrs_slices WHERE queue_id = " +
                           std::to_string(queue_id_) + " ORDER BY priority, visible_at LIMIT 1"));
  }
  return (want + batch_size_ - 1) / batch_size_ + (batch_size_ > 1 ? 1 : 0);
}

int PostgresLimit::Dequeue(int want) { return consumers_.front()->Dequeue(want, SlicesFor(want)); }

void PostgresLimit::Ack() { consumers_.front()->Ack(); }

std::int64_t PostgresLimit::Drain(int want) {
  const auto slices = SlicesFor(want);
  std::vector<std::future<std::int64_t>> drains;
  drains.reserve(consumers_.size());
  for (const auto& consumer : consumers_) {
    drains.push_back(std::async(
        std::launch::async, [&consumer, want, slices] { return consumer->Drain(want, slices); }));
  }
  std::int64_t drained = 0;
  for (auto& drain : drains) drained += drain.get();
  return drained;
}

void PostgresLimit::Verify(std::int64_t waiting, std::int64_t archived) {
  const auto expect = [this](std::int64_t number, std::string_view what, const std::string& sql) {
    ExpectNumber(session_.Number(sql), number, what);
  };
  expect(waiting, "messages waiting", "SELECT sum(n) FROM pgqrs_slices");
  expect(archived, "messages archived", "SELECT sum(n) FROM pgqrs_archive");
  expect(0, "batches with a message archived twice",
         "SELECT count(*) FROM (SELECT sum(n) AS n, bit_or(mask) AS mask FROM pgqrs_archive"
         " GROUP BY queue_id, batch_id) AS a WHERE a.n <> bit_count(a.mask::bit(64))");
  std::uint64_t payload_bytes = 0;
  for (const auto& consumer : consumers_) payload_bytes += consumer->payload_bytes();
  if (archived > 0 && payload_bytes == 0) throw std::runtime_error("no payload was read");
}

}  // namespace limits
