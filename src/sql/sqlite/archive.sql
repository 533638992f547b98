-- name: InsertArchive
INSERT INTO pgqrs_archive
  (queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, leased_at, archived_at, reason,
   last_error)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12);

-- name: ArchiveOfBatch, LockArchiveOfBatch
SELECT queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, leased_at, archived_at,
  reason, last_error
FROM pgqrs_archive INDEXED BY pgqrs_archive_batch
WHERE queue_id = ?1 AND batch_id = ?2;

-- name: ListFinished, LockFinished
-- A queue's finished messages from batch ?2 on.
SELECT queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, leased_at, archived_at,
  reason, last_error
FROM pgqrs_archive INDEXED BY pgqrs_archive_batch
WHERE queue_id = ?1 AND batch_id >= ?2 AND dead = 0 ORDER BY batch_id LIMIT ?3;

-- name: ListDead, LockDead
SELECT queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, leased_at, archived_at,
  reason, last_error
FROM pgqrs_archive INDEXED BY pgqrs_archive_dead
WHERE queue_id = ?1 AND batch_id >= ?2 AND dead = 1 ORDER BY batch_id LIMIT ?3;

-- name: CountFinishedFromNewest
-- Finished messages by batch, below batch ?2, the newest first.
SELECT batch_id, sum(n) FROM pgqrs_archive INDEXED BY pgqrs_archive_batch
WHERE queue_id = ?1 AND batch_id < ?2 AND dead = 0
GROUP BY batch_id ORDER BY batch_id DESC LIMIT ?3;

-- name: LockArchiveOfQueue
SELECT queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, leased_at, archived_at,
  reason, last_error
FROM pgqrs_archive INDEXED BY pgqrs_archive_batch WHERE queue_id = ?1 LIMIT ?2;

-- name: ShrinkArchive
-- The masks of a batch's rows have no message in common, so one of them names its row.
UPDATE pgqrs_archive INDEXED BY pgqrs_archive_batch SET mask = ?4, n = ?5
WHERE queue_id = ?1 AND batch_id = ?2 AND mask = ?3;

-- name: DeleteArchive
DELETE FROM pgqrs_archive INDEXED BY pgqrs_archive_batch
WHERE queue_id = ?1 AND batch_id = ?2 AND mask = ?3;

-- name: CountArchive
SELECT coalesce(sum(n), 0), max(batch_id)
FROM pgqrs_archive INDEXED BY pgqrs_archive_batch WHERE queue_id = ?1;

-- name: CountDead
SELECT coalesce(sum(n), 0)
FROM pgqrs_archive INDEXED BY pgqrs_archive_dead WHERE queue_id = ?1 AND dead = 1;

-- name: CountFinishedSince
-- Messages finished since ?2, over at most ?3 rows from the newest on; the oldest time and the
-- number of rows seen.
SELECT coalesce(sum(CASE WHEN queue_id = ?1 AND dead = 0 THEN n ELSE 0 END), 0), min(archived_at),
  count(*)
FROM (
  SELECT queue_id, dead, n, archived_at FROM pgqrs_archive ORDER BY id DESC LIMIT ?3
)
WHERE archived_at >= ?2;
