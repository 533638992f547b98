-- The statements that carry out all requests of one kind in a group at once. Each works on arrays,
-- one element a row, and none needs the answer of another: a group is one round trip.

-- name: AckSlices
-- None where one of the queues is a workflow: the ack of a run's message ends the run, which is more
-- than this can do.
SELECT * FROM {schema}.pgqrs_ack($1, $2, $3, $4, $5, $6)
WHERE NOT EXISTS (SELECT FROM {schema}.pgqrs_workflows AS w WHERE w.id = ANY ($1));

-- name: EnqueueBatch, EnqueueBatches, EnqueueBatchesAgain
-- Stores batches of one queue with one slice each: their ids ($2), sizes ($3) and payloads ($4), which
-- are arrays unless it is only one, which is 0.01 ms faster without. They become visible at $6, or
-- after $7 microseconds, or now. Nothing is stored where the queue is closed; otherwise the answer has
-- a row for each batch.
--
-- Again: where an earlier attempt may have been committed. What is there stays as it is; and where the
-- earlier session is still at it, this one waits for its end.
WITH stored AS (
  INSERT INTO {schema}.pgqrs_batches
    (queue_id, id, n, enqueued_at, producer_worker_id, payloads)
  SELECT $1, w.id, w.n, coalesce($9, clock_timestamp()), $8, w.payloads
-- only EnqueueBatch: FROM (VALUES ($2, $3, $4)) AS w (id, n, payloads)
-- only EnqueueBatches: FROM unnest($2::bigint[], $3::bigint[], $4::jsonb[]) AS w (id, n, payloads)
-- only EnqueueBatchesAgain: FROM unnest($2::bigint[], $3::bigint[], $4::jsonb[]) AS w (id, n, payloads)
  WHERE EXISTS (
    SELECT FROM {schema}.pgqrs_queues AS q WHERE q.id = $1 AND q.deleted_at IS NULL
  )
-- only EnqueueBatchesAgain: ON CONFLICT DO NOTHING
  RETURNING id, n, enqueued_at
)
INSERT INTO {schema}.pgqrs_slices (queue_id, id, mask, visible_at, priority, n)
SELECT $1, s.id * 64 + s.n - 1, CASE s.n WHEN 64 THEN -1 ELSE ~(-1::bigint << s.n) END,
  greatest(s.enqueued_at, coalesce($6, s.enqueued_at + $7 * interval '1 microsecond')), $5, s.n
FROM stored AS s
RETURNING queue_id, visible_at;

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
-- Which of these batches of a queue are there: for each the queue, and a time at which it was not yet
-- visible, or just.
SELECT b.queue_id, b.enqueued_at
FROM unnest($2::bigint[]) AS w (id)
  CROSS JOIN LATERAL (
    SELECT one.queue_id, one.enqueued_at FROM {schema}.pgqrs_batches AS one
    WHERE one.queue_id = $1 AND one.id = w.id LIMIT 1
  ) AS b;

-- name: RetakeMessages
-- What was taken of a queue by workers $2 under their tokens $3, as TakeMessages has it. When it had
-- become visible is not known any more.
UPDATE {schema}.pgqrs_slices AS s SET worker_id = w.worker_id
FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS w (worker_id, token, deal),
  {schema}.pgqrs_batches AS b
WHERE s.queue_id = $1 AND s.lease_token = w.token AND b.queue_id = $1 AND b.id = s.id >> 6
RETURNING w.deal, s.id, s.mask, s.read_ct, s.priority, b.enqueued_at, b.enqueued_at,
  b.producer_worker_id, b.payloads, s.leased_at, 0::bigint, NULL::timestamptz;

-- name: InsertRuns
-- The runs of messages that were just stored, unless their queues are closed: ids ($1), queues ($2),
-- versions ($3), priorities ($4) and inputs ($5). Those that are there already stay as they are.
INSERT INTO {schema}.pgqrs_workflow_runs
  (id, queue_id, status, epoch, version, priority, pause_requested, waits_for_children, input,
   created_at, updated_at)
SELECT w.id, w.queue_id, 0, 0, w.version, w.priority, 0, 0, w.input,
  coalesce($6, clock_timestamp()), coalesce($6, clock_timestamp())
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
    AS w (id, queue_id, version, priority, input)
WHERE EXISTS (
  SELECT FROM {schema}.pgqrs_queues AS q WHERE q.id = w.queue_id AND q.deleted_at IS NULL
)
ON CONFLICT DO NOTHING;

-- name: LockRuns
SELECT id FROM {schema}.pgqrs_workflow_runs WHERE id = ANY($1) ORDER BY id FOR UPDATE;

-- name: StartRuns
SELECT * FROM {schema}.pgqrs_start_runs($1, $2, $3, $4, $5);

-- name: RecordSteps
-- Records steps of runs that are executed under these epochs, and answers which it has recorded. The
-- runs are locked in the order in which they come, which is that of their ids.
INSERT INTO {schema}.pgqrs_workflow_steps AS s
  (run_id, name, ordinal, position, kind, status, epoch, attempts, input, output, error, retry_at,
   wake_at, created_at, updated_at)
SELECT w.run_id, w.name, w.ordinal, w.position, w.kind, w.status, w.epoch, w.attempts, w.input,
  w.output, w.error, w.retry_at, w.wake_at, t.now, t.now
FROM (SELECT coalesce($14, clock_timestamp()) AS now) AS t
  CROSS JOIN unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[],
      $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::text[],
      $12::timestamptz[], $13::timestamptz[])
    AS w (run_id, epoch, name, ordinal, position, kind, status, attempts, input, output, error,
      retry_at, wake_at)
  CROSS JOIN LATERAL (
    SELECT FROM {schema}.pgqrs_workflow_runs AS one
    WHERE one.id = w.run_id AND one.epoch = w.epoch AND one.status = 1
      AND one.start_token IS NOT NULL AND one.pause_requested = 0
    LIMIT 1 FOR UPDATE
  ) AS r
ON CONFLICT (run_id, name, ordinal) DO UPDATE
SET position = excluded.position, kind = excluded.kind, status = excluded.status,
  epoch = excluded.epoch, attempts = excluded.attempts,
  input = coalesce(excluded.input, s.input), output = excluded.output, error = excluded.error,
  retry_at = excluded.retry_at, wake_at = excluded.wake_at, updated_at = excluded.updated_at
WHERE s.status <> 3 AND (s.kind <> 6 OR s.status = 0)
RETURNING s.run_id, s.name, s.ordinal;

-- name: FinishRuns
SELECT * FROM {schema}.pgqrs_finish_runs($1, $2, $3, $4, $5, $6, $7);
