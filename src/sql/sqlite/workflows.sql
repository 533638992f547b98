-- name: InsertWorkflow
INSERT INTO pgqrs_workflows (id, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING;

-- name: FindWorkflow
SELECT q.id, q.queue_name, w.created_at
FROM pgqrs_queues AS q CROSS JOIN pgqrs_workflows AS w ON w.id = q.id
WHERE q.queue_name = ?1;

-- name: ListWorkflows
SELECT q.id, q.queue_name, w.created_at
FROM pgqrs_workflows AS w CROSS JOIN pgqrs_queues AS q ON q.id = w.id
WHERE q.deleted_at IS NULL
ORDER BY q.queue_name;

-- name: IsWorkflow
SELECT 1 FROM pgqrs_workflows WHERE id = ?1;

-- name: DeleteWorkflow
DELETE FROM pgqrs_workflows WHERE id = ?1;

-- name: InsertRun
-- Nothing is stored, and no row given, where the workflow has a run with that key.
INSERT INTO pgqrs_workflow_runs
  (id, queue_id, status, epoch, version, idempotency_key, priority, parent_id, parent_step,
   parent_ordinal, pause_requested, waits_for_children, input, created_at, updated_at)
VALUES (?1, ?2, 0, 0, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, ?9, ?10, ?10)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: LockRun, PeekRun
SELECT id, queue_id, status, epoch, version, parent_id, parent_step, parent_ordinal, start_token,
  pause_requested, waits_for_events, waits_for_children, created_at, started_at, finished_at
FROM pgqrs_workflow_runs WHERE id = ?1;

-- name: UpdateRun
UPDATE pgqrs_workflow_runs
SET status = ?2, epoch = ?3, version = ?4, start_token = ?5, pause_requested = ?6,
  waits_for_events = ?7, waits_for_children = ?8, updated_at = ?9, started_at = ?10,
  finished_at = ?11
WHERE id = ?1;

-- name: SetRunResult
UPDATE pgqrs_workflow_runs SET output = ?2, error = ?3 WHERE id = ?1;

-- name: FindRunTexts
SELECT input, output, error, priority, version FROM pgqrs_workflow_runs WHERE id = ?1;

-- name: FindRunByKey
SELECT id FROM pgqrs_workflow_runs
WHERE queue_id = ?1 AND idempotency_key = ?2 AND idempotency_key IS NOT NULL;

-- name: UnfinishedChildren
SELECT id FROM pgqrs_workflow_runs
WHERE parent_id = ?1 AND parent_id IS NOT NULL AND id > ?2 AND finished_at IS NULL
ORDER BY id LIMIT ?3;

-- name: CancellingChild
SELECT id FROM pgqrs_workflow_runs
WHERE parent_id = ?1 AND parent_id IS NOT NULL AND finished_at IS NULL AND status = 5 LIMIT 1;

-- name: ChildrenToCancel
-- Of the next ?3 unfinished children behind ?2 those that are not Cancelling.
SELECT c.id FROM (
  SELECT id, status FROM pgqrs_workflow_runs
  WHERE parent_id = ?1 AND parent_id IS NOT NULL AND id > ?2 AND finished_at IS NULL
  ORDER BY id LIMIT ?3
) AS c
WHERE c.status <> 5 ORDER BY c.id LIMIT ?4;

-- name: RecordStep
-- What has an outcome for good stays as it is; then no row is given.
INSERT INTO pgqrs_workflow_steps
  (run_id, name, ordinal, position, kind, status, epoch, attempts, input, output, error, retry_at,
   wake_at, child_id, created_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15)
ON CONFLICT (run_id, name, ordinal) DO UPDATE
SET position = excluded.position, kind = excluded.kind, status = excluded.status,
  epoch = excluded.epoch, attempts = excluded.attempts, input = coalesce(excluded.input, input),
  output = excluded.output, error = excluded.error, retry_at = excluded.retry_at,
  wake_at = excluded.wake_at, child_id = coalesce(excluded.child_id, child_id),
  updated_at = excluded.updated_at
WHERE pgqrs_workflow_steps.status <> 3
  AND (pgqrs_workflow_steps.kind <> 6 OR pgqrs_workflow_steps.status = 0)
RETURNING id;

-- name: FindStep
SELECT status, epoch, position, child_id, output FROM pgqrs_workflow_steps
WHERE run_id = ?1 AND name = ?2 AND ordinal = ?3;

-- name: StepsOfRun
SELECT name, ordinal, position, kind, status, epoch, attempts, output, error, retry_at, wake_at,
  child_id
FROM pgqrs_workflow_steps WHERE run_id = ?1;

-- name: EndChildStep
-- Gives a row where the step has waited for this child.
UPDATE pgqrs_workflow_steps
SET status = ?4, epoch = ?5, output = ?6, error = ?7, updated_at = ?8
WHERE run_id = ?1 AND name = ?2 AND ordinal = ?3 AND child_id = ?9 AND status = 0
RETURNING id;

-- name: HasEndedChild
-- Whether a child has ended since the run was started the last time.
SELECT 1 FROM pgqrs_workflow_steps
WHERE run_id = ?1 AND epoch = ?2 AND kind = 6 AND status <> 0 LIMIT 1;

-- name: ResetFailedSteps
UPDATE pgqrs_workflow_steps
SET status = 0, attempts = 0, error = NULL, retry_at = NULL, child_id = NULL, updated_at = ?2
WHERE run_id = ?1 AND status = 4;

-- name: CopySteps
-- Those of run ?1 that have an outcome, as a sleep that is over has at ?5, and come before its step
-- ?3 of ordinal ?4; all of them where there is no such step. Steps of branches, whose names have a
-- "]/", count their positions by themselves: they come in the order in which they were recorded.
INSERT INTO pgqrs_workflow_steps
  (run_id, name, ordinal, position, kind, status, epoch, attempts, input, output, error, retry_at,
   wake_at, child_id, created_at, updated_at)
SELECT ?2, s.name, s.ordinal, s.position, s.kind, s.status, 0, s.attempts, s.input, s.output, s.error,
  NULL, s.wake_at, s.child_id, s.created_at, s.updated_at
FROM pgqrs_workflow_steps s
LEFT JOIN pgqrs_workflow_steps f ON f.run_id = ?1 AND f.name = ?3 AND f.ordinal = ?4
WHERE s.run_id = ?1
  AND (s.status = 3 OR s.status = 4 AND s.retry_at IS NULL OR s.kind = 2 AND s.wake_at <= ?5)
  AND (f.id IS NULL
    OR s.id < f.id
      AND (s.position < f.position OR f.position < 0 OR s.name LIKE '%]/%' OR f.name LIKE '%]/%'))
ORDER BY s.id;

-- name: DeleteStepsOfRun
DELETE FROM pgqrs_workflow_steps WHERE run_id = ?1 RETURNING id;

-- name: InsertEvent
INSERT INTO pgqrs_workflow_events (run_id, name, payload, sent_at) VALUES (?1, ?2, ?3, ?4);

-- name: OldestEvent
SELECT id, payload FROM pgqrs_workflow_events
WHERE run_id = ?1 AND name = ?2 ORDER BY id LIMIT 1;

-- name: HasEvent
SELECT 1 FROM pgqrs_workflow_events WHERE run_id = ?1 AND name = ?2 LIMIT 1;

-- name: DeleteEvent
DELETE FROM pgqrs_workflow_events WHERE id = ?1;

-- name: DeleteEventsOfRun
DELETE FROM pgqrs_workflow_events WHERE run_id = ?1;

-- name: DeleteRun
DELETE FROM pgqrs_workflow_runs WHERE id = ?1;

-- name: RunsOfQueue
SELECT id FROM pgqrs_workflow_runs WHERE queue_id = ?1 ORDER BY id LIMIT ?2;

-- name: NthFinishedRun
-- From the newest on; 0 is the newest.
SELECT finished_at, id FROM pgqrs_workflow_runs
WHERE queue_id = ?1 AND finished_at IS NOT NULL
ORDER BY finished_at DESC, id DESC LIMIT 1 OFFSET ?2;

-- name: LockFinishedRuns
-- The oldest of those that finished before ?2, or then and have no higher id than ?3.
SELECT id FROM pgqrs_workflow_runs
WHERE queue_id = ?1 AND finished_at IS NOT NULL AND finished_at <= ?2
  AND (finished_at < ?2 OR id <= ?3)
ORDER BY finished_at, id LIMIT ?4;
