-- name: InsertSlice
INSERT INTO pgqrs_slices
  (id, queue_id, priority, visible_at, mask, n, read_ct, worker_id, lease_token, leased_at, last_error)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11);

-- name: UpdateSlice
UPDATE pgqrs_slices
SET visible_at = ?3, mask = ?4, n = ?5, read_ct = ?6, worker_id = ?7, lease_token = ?8,
  leased_at = ?9, last_error = ?10
WHERE queue_id = ?1 AND id = ?2;

-- name: ShrinkSlice
-- Leaves the index alone, unlike UpdateSlice.
UPDATE pgqrs_slices SET mask = ?3, n = ?4 WHERE queue_id = ?1 AND id = ?2;

-- name: DeleteSlice
DELETE FROM pgqrs_slices WHERE queue_id = ?1 AND id = ?2;

-- name: NextSlices
-- The first visible slices of one priority, with what a message needs from the batch. CROSS JOIN
-- keeps the slices in front, whatever ANALYZE may once have seen in small tables.
SELECT s.id, s.queue_id, s.priority, s.visible_at, s.mask, s.n, s.read_ct, s.worker_id,
  s.lease_token, s.leased_at, s.last_error, b.enqueued_at, b.producer_worker_id, b.payloads
FROM pgqrs_slices AS s INDEXED BY pgqrs_slices_hot
  CROSS JOIN pgqrs_batches AS b ON b.id = s.id >> 6
WHERE s.queue_id = ?1 AND s.priority = ?2 AND s.visible_at <= ?3
ORDER BY s.visible_at, s.id
LIMIT ?4;

-- name: SlicesOfBatch, LockSlicesOfBatch
-- By the primary key: the hot index, which begins with the queue too, would give the whole queue.
SELECT id, queue_id, priority, visible_at, mask, n, read_ct, worker_id, lease_token, leased_at,
  last_error
FROM pgqrs_slices NOT INDEXED WHERE queue_id = ?1 AND id BETWEEN ?2 * 64 AND ?2 * 64 + 63;

-- name: NextVisible
-- When the next message of the queue becomes visible, or did.
SELECT min(t) FROM (
  SELECT (
    SELECT s.visible_at FROM pgqrs_slices AS s
    WHERE s.queue_id = ?1 AND s.priority = p.value
    ORDER BY s.visible_at LIMIT 1
  ) AS t
  FROM json_each('[0,1,2,3,4,5,6,7,8,9]') AS p
);

-- name: LockSlicesBehind
-- Slices of one priority, in the order of the index, behind (?3, ?4). In two parts, since of a
-- comparison of rows SQLite looks up the first column alone, and would read all slices of that time
-- again at each call.
SELECT id, queue_id, priority, visible_at, mask, n, read_ct, worker_id, lease_token, leased_at,
  last_error
FROM pgqrs_slices INDEXED BY pgqrs_slices_hot
WHERE queue_id = ?1 AND priority = ?2 AND visible_at = ?3 AND id > ?4
UNION ALL
SELECT id, queue_id, priority, visible_at, mask, n, read_ct, worker_id, lease_token, leased_at,
  last_error
FROM pgqrs_slices INDEXED BY pgqrs_slices_hot
WHERE queue_id = ?1 AND priority = ?2 AND visible_at > ?3
ORDER BY visible_at, id LIMIT ?5;

-- name: LockSlicesOfQueue
SELECT id, queue_id, priority, visible_at, mask, n, read_ct, worker_id, lease_token, leased_at,
  last_error
FROM pgqrs_slices INDEXED BY pgqrs_slices_hot WHERE queue_id = ?1 LIMIT ?2;

-- name: CountSlices
-- Waiting, delayed and leased messages of a queue, and the batch that waits longest.
SELECT
  coalesce(sum(n) FILTER (WHERE visible_at <= ?2), 0),
  coalesce(sum(n) FILTER (WHERE visible_at > ?2 AND lease_token IS NULL), 0),
  coalesce(sum(n) FILTER (WHERE visible_at > ?2 AND lease_token IS NOT NULL), 0),
  min(id >> 6) FILTER (WHERE visible_at <= ?2),
  max(id >> 6)
FROM pgqrs_slices INDEXED BY pgqrs_slices_hot
WHERE queue_id = ?1;
