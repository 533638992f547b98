-- name: FindQueue
SELECT id, queue_name, created_at FROM pgqrs_queues WHERE queue_name = ?1;

-- name: InsertQueue
INSERT INTO pgqrs_queues (queue_name, created_at) VALUES (?1, ?2)
ON CONFLICT (queue_name) DO NOTHING
RETURNING id, queue_name, created_at;

-- name: QueueIsOpen
SELECT 1 FROM pgqrs_queues WHERE id = ?1 AND deleted_at IS NULL;

-- name: ListQueues
SELECT id, queue_name, created_at FROM pgqrs_queues WHERE deleted_at IS NULL ORDER BY queue_name;

-- name: CloseQueue
-- From here on nobody finds the queue; its rows are removed step by step.
UPDATE pgqrs_queues SET queue_name = NULL, deleted_at = ?2 WHERE id = ?1;

-- name: NextClosedQueue
-- The first one behind id ?1.
SELECT min(id) FROM pgqrs_queues WHERE deleted_at IS NOT NULL AND id > ?1;

-- name: RemoveQueue
DELETE FROM pgqrs_queues WHERE id = ?1;

-- name: ReserveBatchIds
-- Numbers that nobody else gets: from the first on, and how many. There may be fewer than ?1.
UPDATE pgqrs_sequences SET next = next + ?1 WHERE name = 'batch' RETURNING next - ?1, ?1;

-- name: ReserveLeaseTokens
UPDATE pgqrs_sequences SET next = next + ?1 WHERE name = 'lease' RETURNING next - ?1, ?1;
