-- name: InsertArchive
INSERT INTO {schema}.pgqrs_archive
  (queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, leased_at, archived_at, reason,
   last_error)
VALUES ($1, $2, $3, $4, $5 <> 0, $6, $7, $8, $9, $10, $11, $12);

-- name: ArchiveOfBatch, LockArchiveOfBatch
SELECT queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, leased_at, archived_at,
  reason, last_error
FROM {schema}.pgqrs_archive WHERE queue_id = $1 AND batch_id = $2
-- only LockArchiveOfBatch: FOR UPDATE
;

-- name: ListFinished, LockFinished
-- A queue's finished messages from batch $2 on.
SELECT queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, leased_at, archived_at,
  reason, last_error
FROM {schema}.pgqrs_archive
WHERE queue_id = $1 AND batch_id >= $2 AND NOT dead ORDER BY batch_id LIMIT $3
-- only LockFinished: FOR UPDATE
;

-- name: ListDead, LockDead
SELECT queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, leased_at, archived_at,
  reason, last_error
FROM {schema}.pgqrs_archive
WHERE queue_id = $1 AND batch_id >= $2 AND dead ORDER BY batch_id LIMIT $3
-- only LockDead: FOR UPDATE
;

-- name: CountFinishedFromNewest
-- Finished messages by batch, below batch $2, the newest first.
SELECT batch_id, sum(n)::bigint FROM {schema}.pgqrs_archive
WHERE queue_id = $1 AND batch_id < $2 AND NOT dead
GROUP BY batch_id ORDER BY batch_id DESC LIMIT $3;

-- name: LockArchiveOfQueue
SELECT queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, leased_at, archived_at,
  reason, last_error
FROM {schema}.pgqrs_archive WHERE queue_id = $1 LIMIT $2 FOR UPDATE;

-- name: ShrinkArchive
-- The masks of a batch's rows have no message in common, so one of them names its row.
UPDATE {schema}.pgqrs_archive SET mask = $4, n = $5
WHERE queue_id = $1 AND batch_id = $2 AND mask = $3;

-- name: DeleteArchive
DELETE FROM {schema}.pgqrs_archive WHERE queue_id = $1 AND batch_id = $2 AND mask = $3;

-- name: DropOldestPartition
-- How many finished messages of queue $1 went with it: archived before $2, or of batches below $3.
-- NULL: it stays.
SELECT {schema}.pgqrs_drop_oldest_partition($1, $2, $3);

-- name: CountArchive
SELECT coalesce(sum(n), 0)::bigint, max(batch_id)
FROM {schema}.pgqrs_archive WHERE queue_id = $1;

-- name: CountDead
SELECT coalesce(sum(n), 0)::bigint FROM {schema}.pgqrs_archive WHERE queue_id = $1 AND dead;

-- name: CountFinishedSince
-- Messages finished since $2, over at most $3 rows of the newest batches; the oldest time and the
-- number of rows seen.
SELECT coalesce(sum(n) FILTER (WHERE NOT dead), 0)::bigint, min(archived_at), count(*)
FROM (
  SELECT n, dead, archived_at FROM {schema}.pgqrs_archive
  WHERE queue_id = $1 ORDER BY batch_id DESC LIMIT $3
) AS newest
WHERE archived_at >= $2;
