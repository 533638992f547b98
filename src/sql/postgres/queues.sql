-- name: FindQueue
SELECT id, queue_name, created_at FROM {schema}.pgqrs_queues WHERE queue_name = $1;

-- name: InsertQueue
INSERT INTO {schema}.pgqrs_queues (queue_name, created_at) VALUES ($1, $2)
ON CONFLICT (queue_name) DO NOTHING
RETURNING id, queue_name, created_at;

-- name: QueueIsOpen
SELECT 1 FROM {schema}.pgqrs_queues WHERE id = $1 AND deleted_at IS NULL;

-- name: ListQueues
SELECT id, queue_name, created_at FROM {schema}.pgqrs_queues
WHERE deleted_at IS NULL ORDER BY queue_name COLLATE "C";

-- name: CloseQueue
-- From here on nobody finds the queue; its rows are removed step by step.
UPDATE {schema}.pgqrs_queues SET queue_name = NULL, deleted_at = $2 WHERE id = $1;

-- name: NextClosedQueue
-- The first one behind id $1.
SELECT min(id) FROM {schema}.pgqrs_queues WHERE deleted_at IS NOT NULL AND id > $1;

-- name: RemoveQueue
-- Not while a transaction that found the queue open may still put something into it. Such a one may
-- be younger than the one that closed the queue, but not than any that comes after that.
WITH waiting AS (
  UPDATE {schema}.pgqrs_queues SET closed_before = pg_current_xact_id()
  WHERE id = $1 AND closed_before IS NULL
)
DELETE FROM {schema}.pgqrs_queues
WHERE id = $1 AND closed_before < pg_snapshot_xmin(pg_current_snapshot())
  AND NOT EXISTS (SELECT 1 FROM {schema}.pgqrs_slices WHERE queue_id = $1);

-- name: ReserveBatchIds
-- Numbers that nobody else gets: from the first on, and how many. There are fewer than $1 where
-- somebody else took some in between.
SELECT * FROM {schema}.pgqrs_reserve_batch_ids($1);

-- name: ReserveLeaseTokens
SELECT min(id), CASE WHEN max(id) - min(id) + 1 = count(*) THEN count(*) ELSE 1 END
FROM (
  SELECT nextval('{schema_in_text}.pgqrs_lease_tokens') AS id FROM generate_series(1, $1)
) AS reserved;
