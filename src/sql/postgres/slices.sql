-- name: InsertSlice
INSERT INTO {schema}.pgqrs_slices
  (id, queue_id, priority, visible_at, mask, n, read_ct, worker_id, lease_token, leased_at,
   last_error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: UpdateSlice
UPDATE {schema}.pgqrs_slices
SET visible_at = $3, mask = $4, n = $5, read_ct = $6, worker_id = $7, lease_token = $8,
  leased_at = $9, last_error = $10
WHERE queue_id = $1 AND id = $2;

-- name: ShrinkSlice
-- Leaves the indexes alone, unlike UpdateSlice.
UPDATE {schema}.pgqrs_slices SET mask = $3, n = $4 WHERE queue_id = $1 AND id = $2;

-- name: HoldSlices
-- So that they are not written anew behind a snapshot that is taken next.
LOCK TABLE {schema}.pgqrs_slices IN ACCESS SHARE MODE;

-- name: MayCompactSlices
SELECT 1 WHERE has_function_privilege('{schema_in_text}.pgqrs_compact_slices(bigint)', 'EXECUTE')
  AND pg_total_relation_size('{schema_in_text}.pgqrs_slices') >= $1;

-- name: CompactSlices
SELECT FROM {schema}.pgqrs_compact_slices($1);

-- name: DeleteSlice
DELETE FROM {schema}.pgqrs_slices WHERE queue_id = $1 AND id = $2;

-- name: NextSlices
-- The first visible slices of one priority, with what a message needs from the batch.
SELECT s.id, s.queue_id, s.priority, s.visible_at, s.mask, s.n, s.read_ct, s.worker_id,
  s.lease_token, s.leased_at, s.last_error, b.enqueued_at, b.producer_worker_id, b.payloads
FROM {schema}.pgqrs_slices AS s
  JOIN {schema}.pgqrs_batches AS b ON b.queue_id = s.queue_id AND b.id = s.id >> 6
WHERE s.queue_id = $1 AND s.priority = $2 AND s.visible_at <= $3
ORDER BY s.visible_at, s.id
LIMIT $4
FOR UPDATE OF s SKIP LOCKED;

-- name: SlicesOfBatch, LockSlicesOfBatch
SELECT id, queue_id, priority, visible_at, mask, n, read_ct, worker_id, lease_token, leased_at,
  last_error
FROM {schema}.pgqrs_slices WHERE queue_id = $1 AND id BETWEEN $2 * 64 AND $2 * 64 + 63
-- only LockSlicesOfBatch: ORDER BY id FOR UPDATE
;

-- name: NextVisible
-- When the next message of the queue becomes visible, or did.
SELECT min(first.visible_at)
FROM generate_series(0, 9) AS p (priority)
  CROSS JOIN LATERAL (
    SELECT s.visible_at FROM {schema}.pgqrs_slices AS s
    WHERE s.queue_id = $1 AND s.priority = p.priority
    ORDER BY s.visible_at LIMIT 1
  ) AS first;

-- name: LockSlicesBehind
-- Slices of one priority, in the order of the index, behind ($3, $4).
SELECT id, queue_id, priority, visible_at, mask, n, read_ct, worker_id, lease_token, leased_at,
  last_error
FROM {schema}.pgqrs_slices
WHERE queue_id = $1 AND priority = $2 AND (visible_at, id) > ($3, $4)
ORDER BY visible_at, id LIMIT $5
FOR UPDATE;

-- name: LockSlicesOfQueue
SELECT id, queue_id, priority, visible_at, mask, n, read_ct, worker_id, lease_token, leased_at,
  last_error
FROM {schema}.pgqrs_slices WHERE queue_id = $1 LIMIT $2 FOR UPDATE;

-- name: CountSlices
-- Waiting, delayed and leased messages of a queue, and the batch that waits longest.
SELECT
  coalesce(sum(n) FILTER (WHERE visible_at <= $2), 0)::bigint,
  coalesce(sum(n) FILTER (WHERE visible_at > $2 AND lease_token IS NULL), 0)::bigint,
  coalesce(sum(n) FILTER (WHERE visible_at > $2 AND lease_token IS NOT NULL), 0)::bigint,
  min(id >> 6) FILTER (WHERE visible_at <= $2),
  max(id >> 6)
FROM {schema}.pgqrs_slices
WHERE queue_id = $1;
