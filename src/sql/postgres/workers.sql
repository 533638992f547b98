-- name: InsertWorker
INSERT INTO {schema}.pgqrs_workers (name, queue_id, status, started_at, heartbeat_at)
VALUES ($1, $2, $3, $4, $4)
RETURNING id;

-- name: FindWorker
SELECT id, name, status, queue_id, started_at, heartbeat_at
FROM {schema}.pgqrs_workers WHERE id = $1;

-- name: ListWorkers
SELECT id, name, status, queue_id, started_at, heartbeat_at
FROM {schema}.pgqrs_workers ORDER BY id;

-- name: SetWorkerStatus
UPDATE {schema}.pgqrs_workers SET status = $2, heartbeat_at = $3 WHERE id = $1;

-- name: Heartbeat
UPDATE {schema}.pgqrs_workers
SET heartbeat_at = greatest(heartbeat_at, coalesce($2, clock_timestamp()))
WHERE id = $1;

-- name: LiveWorkersOfQueue
-- Workers that are bound to the queue and whose heartbeat is not older than $2.
SELECT count(*) FROM {schema}.pgqrs_workers
WHERE queue_id = $1 AND status <> 4 AND heartbeat_at >= $2;

-- name: DeleteWorker
DELETE FROM {schema}.pgqrs_workers WHERE id = $1;

-- name: DeleteWorkersOfQueue
DELETE FROM {schema}.pgqrs_workers WHERE queue_id = $1;

-- name: DeleteStoppedWorker
-- Where its last heartbeat is still older than $2.
DELETE FROM {schema}.pgqrs_workers WHERE id = $1 AND status = 4 AND heartbeat_at < $2;
