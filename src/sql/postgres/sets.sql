-- The statements that carry out all requests of one kind in a group at once. Each works on arrays,
-- one element a row, and none needs the answer of another: a group is one round trip.

-- name: AckSlices
SELECT * FROM {schema}.pgqrs_ack($1, $2, $3, $4, $5, $6);

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

-- name: EnqueueForCaller
-- Enqueues in the transaction of a caller, whose session may have any settings. A delay ($3) and a
-- time ($4) are in microseconds. The ids come in the order of the payloads.
SELECT pg_catalog.unnest({schema}.pgqrs_enqueue_batch($1::text, $2::jsonb[],
  $3::bigint * interval '1 microsecond',
  timestamptz '1970-01-01 00:00:00+00' + $4::bigint / 1000000 * interval '1 second'
    + $4::bigint % 1000000 * interval '1 microsecond',
  $5::bigint::integer));

-- name: TakeMessages
SELECT * FROM {schema}.pgqrs_take($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- What follows looks for what a group has done of which nobody knows whether its commit happened.

-- name: FindAcked
-- Which of these acks are in the archive: parameters and answer are those of AckSlices.
SELECT a.queue_id, a.batch_id, w.mask, a.worker_id, a.lease_token
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
    AS w (queue_id, batch_id, mask, token, worker_id),
  {schema}.pgqrs_archive AS a
WHERE a.queue_id = w.queue_id AND a.batch_id = w.batch_id AND a.mask & w.mask = w.mask
  AND NOT a.dead
  AND (a.lease_token = w.token OR w.token IS NULL AND a.worker_id = w.worker_id);

-- name: FindStored
-- Which of these batches are there: by their ids and, where it is not null, the producer ($3), since
-- a server that crashed may have given the ids again. The time is one at which they were not yet
-- visible, or just.
SELECT b.queue_id, b.id, b.enqueued_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w (queue_id, id, producer_worker_id),
  {schema}.pgqrs_batches AS b
WHERE b.queue_id = w.queue_id AND b.id = w.id
  AND (w.producer_worker_id IS NULL OR b.producer_worker_id = w.producer_worker_id);

-- name: RetakeMessages
-- What was taken of a queue under the leases $3, for worker $2, as TakeMessages has it. When it had
-- become visible is not known any more.
UPDATE {schema}.pgqrs_slices AS s SET worker_id = $2
FROM {schema}.pgqrs_batches AS b
WHERE s.queue_id = $1 AND s.lease_token = ANY ($3) AND b.queue_id = $1 AND b.id = s.id >> 6
RETURNING b.id, s.mask, s.read_ct, s.priority, b.enqueued_at, b.enqueued_at, b.producer_worker_id,
  b.payloads, s.leased_at, 0::bigint, NULL::timestamptz;
