-- Times are microseconds since 1970-01-01 00:00 UTC. A message id is batch id × 64 + position.

CREATE TABLE pgqrs_queues (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  queue_name TEXT UNIQUE,            -- NULL once the queue is being deleted.
  created_at INTEGER NOT NULL,
  deleted_at INTEGER
) STRICT;

-- Status: 0 Ready, 1 Polling, 2 Suspended, 3 Interrupted, 4 Stopped.
CREATE TABLE pgqrs_workers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  queue_id INTEGER,                  -- NULL: serves any queue.
  status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),
  started_at INTEGER NOT NULL,
  heartbeat_at INTEGER NOT NULL
) STRICT;

-- Numbers that are given out once: 'batch' for batch ids, 'lease' for lease tokens.
CREATE TABLE pgqrs_sequences (
  name TEXT PRIMARY KEY,
  next INTEGER NOT NULL
) STRICT;

INSERT INTO pgqrs_sequences (name, next) VALUES ('batch', 1), ('lease', 1);

-- What was enqueued together: up to 64 messages, their payloads as one JSON array. Written once.
CREATE TABLE pgqrs_batches (
  id INTEGER PRIMARY KEY,
  queue_id INTEGER NOT NULL,
  n INTEGER NOT NULL CHECK (n BETWEEN 1 AND 64),
  enqueued_at INTEGER NOT NULL,
  producer_worker_id INTEGER,
  payloads TEXT NOT NULL
) STRICT;

-- The hot set: messages of one batch that share one state. Bit i of the mask is position i. The id
-- is batch id × 64 + a position, so that the slices of a batch lie side by side.
CREATE TABLE pgqrs_slices (
  id INTEGER PRIMARY KEY,
  queue_id INTEGER NOT NULL,
  priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
  visible_at INTEGER NOT NULL,       -- While leased: the end of the lease.
  mask INTEGER NOT NULL CHECK (mask <> 0),
  n INTEGER NOT NULL CHECK (n BETWEEN 1 AND 64),
  read_ct INTEGER NOT NULL DEFAULT 0 CHECK (read_ct >= 0),
  worker_id INTEGER,                 -- The last holder.
  lease_token INTEGER,               -- NULL: not leased.
  leased_at INTEGER,
  last_error TEXT
) STRICT;

-- The order in which messages are handed out (the row id is its last column by itself).
CREATE INDEX pgqrs_slices_hot ON pgqrs_slices (queue_id, priority, visible_at);

-- Finished messages (dead = 0) and dead letters (dead = 1). Their payloads stay in the batch.
CREATE TABLE pgqrs_archive (
  id INTEGER PRIMARY KEY,
  queue_id INTEGER NOT NULL,
  batch_id INTEGER NOT NULL,
  mask INTEGER NOT NULL CHECK (mask <> 0),
  n INTEGER NOT NULL CHECK (n BETWEEN 1 AND 64),
  dead INTEGER NOT NULL CHECK (dead IN (0, 1)),
  priority INTEGER NOT NULL,
  read_ct INTEGER NOT NULL,
  worker_id INTEGER,
  leased_at INTEGER,
  archived_at INTEGER NOT NULL,
  reason TEXT,
  last_error TEXT
) STRICT;

CREATE INDEX pgqrs_archive_batch ON pgqrs_archive (queue_id, batch_id, n);
CREATE INDEX pgqrs_archive_dead ON pgqrs_archive (queue_id, batch_id) WHERE dead = 1;

-- A row a message, for people and reports.
CREATE VIEW pgqrs_messages AS
SELECT
  b.id * 64 + e.key AS id,
  b.queue_id AS queue_id,
  q.queue_name AS queue_name,
  b.payloads -> e.key AS payload,
  CASE
    WHEN s.visible_at <= CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000
      THEN 'waiting'
    WHEN s.lease_token IS NULL THEN 'delayed'
    ELSE 'leased'
  END AS state,
  s.priority AS priority,
  s.read_ct AS read_ct,
  b.enqueued_at AS enqueued_at,
  s.visible_at AS visible_at,
  s.leased_at AS dequeued_at,
  NULL AS archived_at,
  b.producer_worker_id AS producer_worker_id,
  s.worker_id AS worker_id,
  NULL AS reason,
  s.last_error AS last_error
FROM pgqrs_slices AS s
JOIN pgqrs_batches AS b ON b.id = s.id >> 6
JOIN pgqrs_queues AS q ON q.id = b.queue_id
JOIN json_each(b.payloads) AS e ON (s.mask >> e.key) & 1
UNION ALL
SELECT
  b.id * 64 + e.key,
  b.queue_id,
  q.queue_name,
  b.payloads -> e.key,
  CASE a.dead WHEN 1 THEN 'dead' ELSE 'archived' END,
  a.priority,
  a.read_ct,
  b.enqueued_at,
  NULL,
  a.leased_at,
  a.archived_at,
  b.producer_worker_id,
  a.worker_id,
  a.reason,
  a.last_error
FROM pgqrs_archive AS a
JOIN pgqrs_batches AS b ON b.id = a.batch_id
JOIN pgqrs_queues AS q ON q.id = b.queue_id
JOIN json_each(b.payloads) AS e ON (a.mask >> e.key) & 1;
