-- name: FindRuns
-- Those of the ids in a JSON array, in any order.
SELECT r.id, r.queue_id, q.queue_name, r.status, r.version, r.idempotency_key, r.priority, r.epoch,
  r.parent_id, r.pause_requested, r.input, r.output, r.error, r.created_at, r.updated_at,
  r.started_at, r.finished_at
FROM json_each(?1) AS e CROSS JOIN pgqrs_workflow_runs AS r ON r.id = e.value
  CROSS JOIN pgqrs_queues AS q ON q.id = r.queue_id;

-- name: EndedRuns
-- Of the runs in a JSON array of ids those that are finished, or not there.
SELECT e.value FROM json_each(?1) AS e
WHERE coalesce((SELECT r.finished_at IS NOT NULL FROM pgqrs_workflow_runs AS r
  WHERE r.id = e.value), 1);

-- name: ListRuns
-- The ids of runs of queue ?1 and parent ?3 with a status whose bit is set in ?2, made from ?4 to ?5
-- (NULL: whichever), behind id ?6, or before it, the newest first. Each statement has an index of its
-- own.
SELECT id FROM pgqrs_workflow_runs
WHERE (?1 IS NULL OR queue_id = ?1) AND (?3 IS NULL OR parent_id = ?3)
  AND (?2 >> status) & 1 = 1 AND (?4 IS NULL OR created_at >= ?4)
  AND (?5 IS NULL OR created_at <= ?5) AND id > ?6
ORDER BY id LIMIT ?7;

-- name: ListRunsDown
SELECT id FROM pgqrs_workflow_runs
WHERE (?1 IS NULL OR queue_id = ?1) AND (?3 IS NULL OR parent_id = ?3)
  AND (?2 >> status) & 1 = 1 AND (?4 IS NULL OR created_at >= ?4)
  AND (?5 IS NULL OR created_at <= ?5) AND id < ?6
ORDER BY id DESC LIMIT ?7;

-- name: ListRunsOfQueue
SELECT id FROM pgqrs_workflow_runs INDEXED BY pgqrs_workflow_runs_queue
WHERE queue_id = ?1 AND (?3 IS NULL OR parent_id = ?3)
  AND (?2 >> status) & 1 = 1 AND (?4 IS NULL OR created_at >= ?4)
  AND (?5 IS NULL OR created_at <= ?5) AND id > ?6
ORDER BY id LIMIT ?7;

-- name: ListRunsOfQueueDown
SELECT id FROM pgqrs_workflow_runs INDEXED BY pgqrs_workflow_runs_queue
WHERE queue_id = ?1 AND (?3 IS NULL OR parent_id = ?3)
  AND (?2 >> status) & 1 = 1 AND (?4 IS NULL OR created_at >= ?4)
  AND (?5 IS NULL OR created_at <= ?5) AND id < ?6
ORDER BY id DESC LIMIT ?7;

-- name: ListRunsOfParent
SELECT id FROM pgqrs_workflow_runs INDEXED BY pgqrs_workflow_runs_parent
WHERE parent_id = ?3 AND parent_id IS NOT NULL AND (?1 IS NULL OR queue_id = ?1)
  AND (?2 >> status) & 1 = 1 AND (?4 IS NULL OR created_at >= ?4)
  AND (?5 IS NULL OR created_at <= ?5) AND id > ?6
ORDER BY id LIMIT ?7;

-- name: ListRunsOfParentDown
SELECT id FROM pgqrs_workflow_runs INDEXED BY pgqrs_workflow_runs_parent
WHERE parent_id = ?3 AND parent_id IS NOT NULL AND (?1 IS NULL OR queue_id = ?1)
  AND (?2 >> status) & 1 = 1 AND (?4 IS NULL OR created_at >= ?4)
  AND (?5 IS NULL OR created_at <= ?5) AND id < ?6
ORDER BY id DESC LIMIT ?7;

-- name: ListUnfinishedRuns
SELECT id FROM pgqrs_workflow_runs INDEXED BY pgqrs_workflow_runs_unfinished
WHERE finished_at IS NULL AND (?1 IS NULL OR queue_id = ?1) AND (?3 IS NULL OR parent_id = ?3)
  AND (?2 >> status) & 1 = 1 AND (?4 IS NULL OR created_at >= ?4)
  AND (?5 IS NULL OR created_at <= ?5) AND id > ?6
ORDER BY id LIMIT ?7;

-- name: ListUnfinishedRunsDown
SELECT id FROM pgqrs_workflow_runs INDEXED BY pgqrs_workflow_runs_unfinished
WHERE finished_at IS NULL AND (?1 IS NULL OR queue_id = ?1) AND (?3 IS NULL OR parent_id = ?3)
  AND (?2 >> status) & 1 = 1 AND (?4 IS NULL OR created_at >= ?4)
  AND (?5 IS NULL OR created_at <= ?5) AND id < ?6
ORDER BY id DESC LIMIT ?7;

-- name: ListFailedRuns
SELECT id FROM pgqrs_workflow_runs INDEXED BY pgqrs_workflow_runs_failed
WHERE error IS NOT NULL AND (?1 IS NULL OR queue_id = ?1) AND (?3 IS NULL OR parent_id = ?3)
  AND (?2 >> status) & 1 = 1 AND (?4 IS NULL OR created_at >= ?4)
  AND (?5 IS NULL OR created_at <= ?5) AND id > ?6
ORDER BY id LIMIT ?7;

-- name: ListFailedRunsDown
SELECT id FROM pgqrs_workflow_runs INDEXED BY pgqrs_workflow_runs_failed
WHERE error IS NOT NULL AND (?1 IS NULL OR queue_id = ?1) AND (?3 IS NULL OR parent_id = ?3)
  AND (?2 >> status) & 1 = 1 AND (?4 IS NULL OR created_at >= ?4)
  AND (?5 IS NULL OR created_at <= ?5) AND id < ?6
ORDER BY id DESC LIMIT ?7;

-- name: FindRunsByKey
-- At most one of each workflow.
SELECT id FROM pgqrs_workflow_runs INDEXED BY pgqrs_workflow_runs_key
WHERE idempotency_key = ?1 AND idempotency_key IS NOT NULL AND (?2 IS NULL OR queue_id = ?2)
  AND (?3 >> status) & 1 = 1 AND (?4 IS NULL OR parent_id = ?4)
  AND (?5 IS NULL OR created_at >= ?5) AND (?6 IS NULL OR created_at <= ?6);

-- name: CountRuns
SELECT count(*) FROM pgqrs_workflow_runs AS r
WHERE (?1 IS NULL OR r.queue_id = ?1) AND (?2 >> r.status) & 1 = 1
  AND (?3 IS NULL OR r.idempotency_key = ?3) AND (?4 IS NULL OR r.parent_id = ?4)
  AND (?5 IS NULL OR r.created_at >= ?5) AND (?6 IS NULL OR r.created_at <= ?6);

-- name: ListSteps
-- Steps of run ?1 with a status whose bit is set in ?3, and so on. Behind id ?6. At ?8,
-- when a sleep whose time is past counts as Success.
SELECT id, run_id, name, ordinal, position, kind,
  CASE WHEN kind = 2 AND status = 0 AND wake_at <= ?8 THEN 3 ELSE status END AS status, attempts,
  input, output, error, retry_at, wake_at, child_id, created_at, updated_at
FROM pgqrs_workflow_steps
WHERE (?1 IS NULL OR run_id = ?1) AND (?2 IS NULL OR name = ?2)
  AND (?3 >> CASE WHEN kind = 2 AND status = 0 AND wake_at <= ?8 THEN 3 ELSE status END) & 1 = 1
  AND (?4 IS NULL OR created_at >= ?4) AND (?5 IS NULL OR created_at <= ?5) AND id > ?6
ORDER BY id LIMIT ?7;

-- name: ListStepsOfRun
SELECT id, run_id, name, ordinal, position, kind,
  CASE WHEN kind = 2 AND status = 0 AND wake_at <= ?8 THEN 3 ELSE status END AS status, attempts,
  input, output, error, retry_at, wake_at, child_id, created_at, updated_at
FROM pgqrs_workflow_steps INDEXED BY pgqrs_workflow_steps_key
WHERE run_id = ?1 AND (?2 IS NULL OR name = ?2)
  AND (?3 >> CASE WHEN kind = 2 AND status = 0 AND wake_at <= ?8 THEN 3 ELSE status END) & 1 = 1
  AND (?4 IS NULL OR created_at >= ?4) AND (?5 IS NULL OR created_at <= ?5) AND id > ?6
ORDER BY id LIMIT ?7;
