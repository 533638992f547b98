-- name: InsertBatch
INSERT INTO {schema}.pgqrs_batches (queue_id, id, n, enqueued_at, producer_worker_id, payloads)
VALUES ($2, $1, $3, $4, $5, $6);

-- name: FindBatch
-- Wherever it is: the key begins with the queue, so each of them is asked.
SELECT b.id, b.queue_id, b.n, b.enqueued_at, b.producer_worker_id, b.payloads
FROM {schema}.pgqrs_queues AS q
  CROSS JOIN LATERAL (
    SELECT * FROM {schema}.pgqrs_batches AS one WHERE one.queue_id = q.id AND one.id = $1 LIMIT 1
  ) AS b;

-- name: QueueOfBatch
SELECT q.id FROM {schema}.pgqrs_queues AS q
  CROSS JOIN LATERAL (
    SELECT FROM {schema}.pgqrs_batches AS one WHERE one.queue_id = q.id AND one.id = $1 LIMIT 1
  ) AS b;

-- name: LockBatch
SELECT id, queue_id, n, enqueued_at, producer_worker_id, payloads
FROM {schema}.pgqrs_batches WHERE queue_id = $1 AND id = $2 FOR UPDATE;

-- name: SetPayloads
UPDATE {schema}.pgqrs_batches SET payloads = $3 WHERE queue_id = $1 AND id = $2;

-- name: DeleteUnusedBatch
-- A batch goes when neither slices nor archive rows refer to it.
DELETE FROM {schema}.pgqrs_batches
WHERE queue_id = $1 AND id = $2
  AND NOT EXISTS (
    SELECT 1 FROM {schema}.pgqrs_slices
    WHERE queue_id = $1 AND id BETWEEN $2 * 64 AND $2 * 64 + 63
  )
  AND NOT EXISTS (SELECT 1 FROM {schema}.pgqrs_archive WHERE queue_id = $1 AND batch_id = $2)
RETURNING id;

-- name: CountEnqueuedSince
-- Messages enqueued since $2, over at most $3 batches from the newest on; the oldest time and the
-- number of batches seen.
SELECT coalesce(sum(n), 0)::bigint, min(enqueued_at), count(*)
FROM (
  SELECT n, enqueued_at FROM {schema}.pgqrs_batches
  WHERE queue_id = $1 ORDER BY id DESC LIMIT $3
) AS newest
WHERE enqueued_at >= $2;

-- name: ScanBatches
SELECT b.id, b.queue_id, b.n, b.enqueued_at, b.producer_worker_id, b.payloads
FROM {schema}.pgqrs_queues AS q
  CROSS JOIN LATERAL (
    SELECT * FROM {schema}.pgqrs_batches AS one
    WHERE one.queue_id = q.id AND one.id > $1 ORDER BY one.id LIMIT $2
  ) AS b
ORDER BY b.id LIMIT $2;
