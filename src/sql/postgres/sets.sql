-- The statements that carry out all requests of one kind in a group at once. Each works on arrays,
-- one element a row, and none needs the answer of another: a group is one round trip.

-- name: AckSlices
-- Moves messages from the hot set to the archive, those of $3 in each batch, all under one lease: of
-- token $4, or where that is null, whatever worker $5 has on them. A row counts only where all of
-- its messages lie in one slice under that lease; the answer names these.
WITH wanted AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
    AS w (queue_id, batch_id, mask, token, worker_id)
),
whole AS (
  DELETE FROM {schema}.pgqrs_slices AS s USING wanted AS w
  WHERE s.queue_id = w.queue_id AND s.id BETWEEN w.batch_id * 64 AND w.batch_id * 64 + 63
    AND s.mask = w.mask
    AND (s.lease_token = w.token
      OR w.token IS NULL AND s.lease_token IS NOT NULL AND s.worker_id = w.worker_id)
  RETURNING s.queue_id, w.batch_id, w.mask, s.n, s.priority, s.read_ct, s.worker_id,
    s.lease_token, s.leased_at, s.last_error
),
part AS (
  UPDATE {schema}.pgqrs_slices AS s
  SET mask = s.mask & ~w.mask, n = s.n - bit_count(w.mask::bit(64)) FROM wanted AS w
  WHERE s.queue_id = w.queue_id AND s.id BETWEEN w.batch_id * 64 AND w.batch_id * 64 + 63
    AND s.mask & w.mask = w.mask AND s.mask <> w.mask
    AND (s.lease_token = w.token
      OR w.token IS NULL AND s.lease_token IS NOT NULL AND s.worker_id = w.worker_id)
  RETURNING s.queue_id, w.batch_id, w.mask, bit_count(w.mask::bit(64)) AS n, s.priority, s.read_ct,
    s.worker_id, s.lease_token, s.leased_at, s.last_error
),
acked AS (
  SELECT * FROM whole UNION ALL SELECT * FROM part
)
INSERT INTO {schema}.pgqrs_archive
  (queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, lease_token, leased_at,
   archived_at, last_error)
SELECT a.queue_id, a.batch_id, a.mask, a.n, false, a.priority, a.read_ct, a.worker_id,
  a.lease_token, a.leased_at, coalesce($6, clock_timestamp()), a.last_error
FROM acked AS a
RETURNING queue_id, batch_id, mask, worker_id, lease_token;

-- name: EnqueueBatches
-- Stores batches ($9) with one slice each. A batch becomes visible at $6, or after $7 microseconds,
-- or now. Only those of open queues are stored, and only where the id is new; the answer names
-- these. At most a few hundred at a time, since what was stored is looked up among all.
WITH clock AS MATERIALIZED (
  SELECT coalesce($10, clock_timestamp()) AS now
),
wanted AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
    $6::timestamptz[], $7::bigint[], $8::bigint[], $9::jsonb[])
    AS w (queue_id, id, n, mask, priority, visible_at, delay, producer_worker_id, payloads)
),
stored AS (
  INSERT INTO {schema}.pgqrs_batches
    (queue_id, id, n, enqueued_at, producer_worker_id, payloads)
  SELECT w.queue_id, w.id, w.n, c.now, w.producer_worker_id, w.payloads
  FROM wanted AS w CROSS JOIN clock AS c
  WHERE EXISTS (
    SELECT 1 FROM {schema}.pgqrs_queues AS q WHERE q.id = w.queue_id AND q.deleted_at IS NULL
  )
  ON CONFLICT DO NOTHING
  RETURNING id
)
INSERT INTO {schema}.pgqrs_slices (queue_id, id, mask, visible_at, priority, n)
SELECT w.queue_id, w.id * 64 + w.n - 1, w.mask,
  greatest(c.now, coalesce(w.visible_at, c.now + w.delay * interval '1 microsecond')),
  w.priority, w.n
FROM stored AS s JOIN wanted AS w ON w.id = s.id CROSS JOIN clock AS c
RETURNING queue_id, id >> 6, visible_at;

-- name: TakeMessages
-- Hands out up to $4 messages of queue $1 to worker $2, under lease $3, for $5 microseconds. It
-- looks at $9 slices at most, for each priority from the visible time in $8 on. Whole slices are
-- taken while they fit, and the last one is split: the part with the key keeps the row. What was
-- read $7 times already goes to the dead letters. One row for each slice; where there are none, one
-- row with nothing but the last three columns: slices found, messages moved to the dead letters, and
-- the time of the next message. No row at all where the queue is gone.
WITH clock AS MATERIALIZED (
  SELECT coalesce($6, clock_timestamp()) AS now
  FROM {schema}.pgqrs_queues WHERE id = $1 AND deleted_at IS NULL
),
first AS MATERIALIZED (
  SELECT s.*
  FROM clock AS c
    CROSS JOIN unnest($8::timestamptz[]) WITH ORDINALITY AS p (hint, ordinality)
    CROSS JOIN LATERAL (
      SELECT * FROM {schema}.pgqrs_slices AS one
      WHERE one.queue_id = $1 AND one.priority = p.ordinality - 1
        AND one.visible_at <= c.now AND one.visible_at >= p.hint
      ORDER BY one.visible_at, one.id LIMIT $9
      FOR UPDATE SKIP LOCKED
    ) AS s
  LIMIT $9
),
-- Slices of one batch with one visible time are a run: their messages come out in the order of their
-- positions, whichever slice they are in. The limit may have cut the last one.
rest_of_run AS MATERIALIZED (
  SELECT s.*
  FROM (SELECT * FROM first ORDER BY priority DESC, visible_at DESC, id DESC LIMIT 1) AS l
    CROSS JOIN LATERAL (
      SELECT * FROM {schema}.pgqrs_slices AS one
      WHERE one.queue_id = $1 AND one.priority = l.priority AND one.visible_at = l.visible_at
        AND one.id > l.id AND one.id <= l.id | 63
      ORDER BY one.id FOR UPDATE SKIP LOCKED
    ) AS s
),
found AS (
  SELECT * FROM first UNION ALL SELECT * FROM rest_of_run
),
ranked AS (
  SELECT f.id, f.mask, f.n, f.read_ct, f.visible_at, f.priority,
    sum(f.n) OVER up_to_run - sum(f.n) OVER run AS before, sum(f.n) OVER run AS run_n,
    bit_or(f.mask) OVER run AS run_mask
  FROM found AS f WHERE f.read_ct < $7
  WINDOW run AS (PARTITION BY f.priority, f.visible_at, f.id >> 6),
    up_to_run AS (ORDER BY f.priority, f.visible_at, f.id >> 6)
),
taken AS MATERIALIZED (
  SELECT t.*, bit_count(t.take::bit(64)) AS count,
    t.take = t.mask OR t.take >> (t.id & 63)::integer & 1 = 1 AS keeps_row
  FROM (
    SELECT r.*, CASE WHEN r.before + r.run_n <= $4 THEN r.mask
      ELSE r.mask & {schema}.pgqrs_low_bits(r.run_mask, ($4 - r.before)::integer) END AS take
    FROM ranked AS r WHERE r.before < $4
  ) AS t
  WHERE t.take <> 0
),
exhausted AS (
  DELETE FROM {schema}.pgqrs_slices AS s USING found AS f
  WHERE s.queue_id = $1 AND s.id = f.id AND f.read_ct >= $7
  RETURNING s.*
),
buried AS (
  INSERT INTO {schema}.pgqrs_archive
    (queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, lease_token, leased_at,
     archived_at, reason, last_error)
  SELECT e.queue_id, e.id >> 6, e.mask, e.n, true, e.priority, e.read_ct, e.worker_id,
    e.lease_token, e.leased_at, c.now,
    format('read %s %s without an ack (max_read_ct is %s)', e.read_ct,
      CASE e.read_ct WHEN 1 THEN 'time' ELSE 'times' END, $7),
    e.last_error
  FROM exhausted AS e CROSS JOIN clock AS c
),
leased AS (
  UPDATE {schema}.pgqrs_slices AS s
  SET mask = t.take, n = t.count, visible_at = c.now + $5 * interval '1 microsecond',
    read_ct = s.read_ct + 1, worker_id = $2, lease_token = $3, leased_at = c.now
  FROM taken AS t CROSS JOIN clock AS c
  WHERE s.queue_id = $1 AND s.id = t.id AND t.keeps_row
),
shrunk AS (
  UPDATE {schema}.pgqrs_slices AS s
  SET mask = t.mask & ~t.take, n = t.n - t.count
  FROM taken AS t
  WHERE s.queue_id = $1 AND s.id = t.id AND NOT t.keeps_row
),
split AS (
  INSERT INTO {schema}.pgqrs_slices
    (queue_id, id, mask, n, priority, visible_at, read_ct, worker_id, lease_token, leased_at,
     last_error)
  SELECT $1, (t.id >> 6) * 64 + {schema}.pgqrs_high_position(t.take), t.take, t.count, t.priority,
    c.now + $5 * interval '1 microsecond', t.read_ct + 1, $2, $3, c.now, f.last_error
  FROM taken AS t JOIN found AS f ON f.id = t.id CROSS JOIN clock AS c
  WHERE NOT t.keeps_row
  UNION ALL
  SELECT $1, (t.id >> 6) * 64 + {schema}.pgqrs_high_position(t.mask & ~t.take), t.mask & ~t.take,
    t.n - t.count, t.priority, t.visible_at, f.read_ct, f.worker_id, f.lease_token, f.leased_at,
    f.last_error
  FROM taken AS t JOIN found AS f ON f.id = t.id
  WHERE t.keeps_row AND t.take <> t.mask
),
seen AS (
  SELECT count(*) AS slices, coalesce(sum(n) FILTER (WHERE read_ct >= $7), 0)::bigint AS dead
  FROM first
)
SELECT b.id, t.take, t.read_ct + 1, t.priority, t.visible_at, c.now, b.enqueued_at,
  b.producer_worker_id, b.payloads, v.slices, v.dead, NULL::timestamptz
FROM taken AS t
  JOIN {schema}.pgqrs_batches AS b ON b.queue_id = $1 AND b.id = t.id >> 6
  CROSS JOIN clock AS c CROSS JOIN seen AS v
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, c.now, NULL, NULL, NULL, v.slices, v.dead, (
    SELECT min(next.visible_at)
    FROM generate_series(0, 9) AS p (priority)
      CROSS JOIN LATERAL (
        SELECT s.visible_at FROM {schema}.pgqrs_slices AS s
        WHERE s.queue_id = $1 AND s.priority = p.priority AND s.visible_at > c.now
        ORDER BY s.visible_at LIMIT 1
      ) AS next
  )
FROM clock AS c CROSS JOIN seen AS v
WHERE NOT EXISTS (SELECT 1 FROM taken);
