-- A workflow is a queue whose messages are its runs; it has the queue's id and name.
CREATE TABLE pgqrs_workflows (
  id INTEGER PRIMARY KEY,
  created_at INTEGER NOT NULL
) STRICT;

-- The id of a run is that of the message that triggered it. Status: 0 Queued, 1 Running, 2 Paused,
-- 3 Success, 4 Error, 5 Cancelling, 6 Cancelled.
CREATE TABLE pgqrs_workflow_runs (
  id INTEGER PRIMARY KEY,
  queue_id INTEGER NOT NULL,
  status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 6),
  epoch INTEGER NOT NULL,            -- How often it was started.
  version INTEGER,                   -- Of the code; NULL until a worker has started it.
  idempotency_key TEXT,
  priority INTEGER NOT NULL,
  parent_id INTEGER,                 -- The run that has triggered it, and the step of that run.
  parent_step TEXT,
  parent_ordinal INTEGER,
  start_token INTEGER,               -- The lease under which it is executed (0: none); NULL: it is not.
  pause_requested INTEGER NOT NULL CHECK (pause_requested IN (0, 1)),
  waits_for_events TEXT,             -- A JSON array of names.
  waits_for_children INTEGER NOT NULL CHECK (waits_for_children IN (0, 1)),
  input TEXT NOT NULL,
  output TEXT,
  error TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER
) STRICT;

CREATE INDEX pgqrs_workflow_runs_queue ON pgqrs_workflow_runs (queue_id, id);
CREATE UNIQUE INDEX pgqrs_workflow_runs_key ON pgqrs_workflow_runs (idempotency_key, queue_id)
WHERE idempotency_key IS NOT NULL;
CREATE INDEX pgqrs_workflow_runs_parent ON pgqrs_workflow_runs (parent_id, id)
WHERE parent_id IS NOT NULL;
CREATE INDEX pgqrs_workflow_runs_unfinished ON pgqrs_workflow_runs (id) WHERE finished_at IS NULL;
CREATE INDEX pgqrs_workflow_runs_failed ON pgqrs_workflow_runs (id) WHERE error IS NOT NULL;
CREATE INDEX pgqrs_workflow_runs_finished ON pgqrs_workflow_runs (queue_id, finished_at, id)
WHERE finished_at IS NOT NULL;

-- What the executions of a run have recorded. Kind: 0 Step, 1 Transaction, 2 Sleep, 3 Now, 4 Uuid,
-- 5 Event, 6 Child, 7 Parallel. Status: 0 Running, 3 Success, 4 Error.
CREATE TABLE pgqrs_workflow_steps (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  ordinal INTEGER NOT NULL,          -- Which call of that name.
  position INTEGER NOT NULL,         -- Which call of all.
  kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 7),
  status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),
  epoch INTEGER NOT NULL,            -- Of the run when it was recorded.
  attempts INTEGER NOT NULL,
  input TEXT,
  output TEXT,
  error TEXT,
  retry_at INTEGER,
  wake_at INTEGER,
  child_id INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX pgqrs_workflow_steps_key ON pgqrs_workflow_steps (run_id, name, ordinal);

-- Events that were sent to a run and that it has not received yet.
CREATE TABLE pgqrs_workflow_events (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  payload TEXT NOT NULL,
  sent_at INTEGER NOT NULL
) STRICT;

CREATE INDEX pgqrs_workflow_events_name ON pgqrs_workflow_events (run_id, name, id);
