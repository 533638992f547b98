-- name: InsertBatch
INSERT INTO pgqrs_batches (id, queue_id, n, enqueued_at, producer_worker_id, payloads)
VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: FindBatch
SELECT id, queue_id, n, enqueued_at, producer_worker_id, payloads FROM pgqrs_batches WHERE id = ?1;

-- name: QueueOfBatch
SELECT queue_id FROM pgqrs_batches WHERE id = ?1;

-- name: LockBatch
SELECT id, queue_id, n, enqueued_at, producer_worker_id, payloads
FROM pgqrs_batches WHERE queue_id = ?1 AND id = ?2;

-- name: SetPayloads
UPDATE pgqrs_batches SET payloads = ?3 WHERE queue_id = ?1 AND id = ?2;

-- name: DeleteUnusedBatch
-- A batch goes when neither slices nor archive rows refer to it.
DELETE FROM pgqrs_batches
WHERE id = ?2
  AND NOT EXISTS (SELECT 1 FROM pgqrs_slices NOT INDEXED WHERE id BETWEEN ?2 * 64 AND ?2 * 64 + 63)
  AND NOT EXISTS (
    SELECT 1 FROM pgqrs_archive INDEXED BY pgqrs_archive_batch
    WHERE queue_id = ?1 AND batch_id = ?2
  )
RETURNING id;

-- name: CountEnqueuedSince
-- Messages enqueued since ?2, over at most ?3 batches from the newest on; the oldest time and the
-- number of batches seen.
SELECT coalesce(sum(CASE WHEN queue_id = ?1 THEN n ELSE 0 END), 0), min(enqueued_at), count(*)
FROM (
  SELECT queue_id, n, enqueued_at FROM pgqrs_batches ORDER BY id DESC LIMIT ?3
)
WHERE enqueued_at >= ?2;

-- name: ScanBatches
SELECT id, queue_id, n, enqueued_at, producer_worker_id, payloads
FROM pgqrs_batches WHERE id > ?1 ORDER BY id LIMIT ?2;
