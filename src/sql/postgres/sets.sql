-- The statements that carry out all requests of one kind in a group at once. Each works on arrays,
-- one element a row, and none needs the answer of another: a group is one round trip.

-- name: AckSlices
SELECT * FROM {schema}.pgqrs_ack($1, $2, $3, $4, $5, $6);

-- name: EnqueueBatches
SELECT * FROM {schema}.pgqrs_put($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

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
    AS w (queue_id, batch_id, mask, token, worker_id)
  CROSS JOIN LATERAL (
    SELECT * FROM {schema}.pgqrs_archive AS one
    WHERE one.queue_id = w.queue_id AND one.batch_id = w.batch_id AND one.mask & w.mask = w.mask
      AND NOT one.dead
      AND (one.lease_token = w.token OR w.token IS NULL AND one.worker_id = w.worker_id)
    LIMIT 1
  ) AS a;

-- name: FindStored
-- Which of these batches are there: their queues, and for each a time at which it was not yet
-- visible, or just.
SELECT b.queue_id, b.enqueued_at
FROM unnest($1::bigint[], $2::bigint[]) AS w (queue_id, id)
  CROSS JOIN LATERAL (
    SELECT one.queue_id, one.enqueued_at FROM {schema}.pgqrs_batches AS one
    WHERE one.queue_id = w.queue_id AND one.id = w.id LIMIT 1
  ) AS b;

-- name: RetakeMessages
-- What was taken of a queue under the leases $3, for worker $2, as TakeMessages has it. When it had
-- become visible is not known any more.
UPDATE {schema}.pgqrs_slices AS s SET worker_id = $2
FROM {schema}.pgqrs_batches AS b
WHERE s.queue_id = $1 AND s.lease_token = ANY ($3) AND b.queue_id = $1 AND b.id = s.id >> 6
RETURNING b.id, s.mask, s.read_ct, s.priority, b.enqueued_at, b.enqueued_at, b.producer_worker_id,
  b.payloads, s.leased_at, 0::bigint, NULL::timestamptz;
