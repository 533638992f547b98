-- name: ListTables
-- Every table and view under our names, with its columns.
SELECT m.name, (SELECT group_concat(c.name, ',') FROM pragma_table_info(m.name) AS c)
FROM sqlite_schema AS m
WHERE m.type IN ('table', 'view') AND m.name LIKE 'pgqrs\_%' ESCAPE '\'
ORDER BY m.name;

-- name: DescribeSchema
-- The definitions of all objects under our names: what each belongs to, what it is, its text.
SELECT
  coalesce(
    (
      SELECT owner.type || ' ' || owner.name FROM sqlite_schema AS owner
      WHERE owner.name = object.tbl_name AND owner.name <> object.name
    ),
    ''
  ),
  object.type || ' ' || object.name,
  coalesce(object.sql, '')
FROM sqlite_schema AS object
WHERE object.name LIKE 'pgqrs\_%' ESCAPE '\' OR object.tbl_name LIKE 'pgqrs\_%' ESCAPE '\';

-- name: ListMigrations
SELECT version, name FROM pgqrs_schema_migrations ORDER BY version;

-- name: InsertMigration
INSERT INTO pgqrs_schema_migrations (version, name, applied_at) VALUES (?1, ?2, ?3);

-- name: CreateMigrations
CREATE TABLE IF NOT EXISTS pgqrs_schema_migrations (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at INTEGER NOT NULL
) STRICT;

-- name: CreateViewTrigger
-- Beside the migrations: a file that Turso has made lacks it.
-- INSERT INTO pgqrs_messages (queue_name, payload) VALUES ('jobs', '{"to": "ada"}') enqueues;
-- priority and visible_at may be given too.
CREATE TRIGGER IF NOT EXISTS pgqrs_messages_enqueue INSTEAD OF INSERT ON pgqrs_messages
BEGIN
  SELECT raise(ABORT, 'pgqrs_messages: queue_name names no queue')
  WHERE NOT EXISTS (SELECT 1 FROM pgqrs_queues WHERE queue_name = NEW.queue_name);
  SELECT raise(ABORT, 'pgqrs_messages: payload is not JSON text')
  WHERE typeof(NEW.payload) <> 'text' OR NOT json_valid(NEW.payload)
    OR instr(NEW.payload, char(0)) > 0;  -- Where json_valid stops reading.
  SELECT raise(ABORT, 'pgqrs_messages: priority is not an integer from 0 to 9')
  WHERE NEW.priority IS NOT NULL
    AND (typeof(NEW.priority) <> 'integer' OR NEW.priority NOT BETWEEN 0 AND 9);
  SELECT raise(ABORT, 'pgqrs_messages: visible_at is not a number of microseconds')
  WHERE NEW.visible_at IS NOT NULL AND typeof(NEW.visible_at) <> 'integer';
  UPDATE pgqrs_sequences SET next = next + 1 WHERE name = 'batch';
  INSERT INTO pgqrs_batches (id, queue_id, n, enqueued_at, payloads)
  SELECT
    s.next - 1,
    q.id,
    1,
    CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000,
    '[' || NEW.payload || ']'
  FROM pgqrs_sequences AS s, pgqrs_queues AS q
  WHERE s.name = 'batch' AND q.queue_name = NEW.queue_name;
  INSERT INTO pgqrs_slices (id, queue_id, priority, visible_at, mask, n)
  SELECT
    b.id * 64,
    b.queue_id,
    coalesce(NEW.priority, 5),
    max(coalesce(NEW.visible_at, b.enqueued_at), b.enqueued_at),
    1,
    1
  FROM pgqrs_sequences AS s JOIN pgqrs_batches AS b ON b.id = s.next - 1
  WHERE s.name = 'batch';
END;

-- name: IntegrityCheck
SELECT integrity_check FROM pragma_integrity_check;

-- name: FindOrphans
-- Rows that refer to something that is not there, or contradict themselves.
SELECT 'slice', s.id, 'its batch is missing in its queue' FROM pgqrs_slices AS s
WHERE NOT EXISTS (
  SELECT 1 FROM pgqrs_batches AS b WHERE b.id = s.id >> 6 AND b.queue_id = s.queue_id
)
UNION ALL
SELECT 'archive row', a.id, 'its batch is missing in its queue' FROM pgqrs_archive AS a
WHERE NOT EXISTS (
  SELECT 1 FROM pgqrs_batches AS b WHERE b.id = a.batch_id AND b.queue_id = a.queue_id
)
UNION ALL
SELECT 'batch', b.id, 'its queue is missing' FROM pgqrs_batches AS b
WHERE NOT EXISTS (SELECT 1 FROM pgqrs_queues AS q WHERE q.id = b.queue_id)
UNION ALL
SELECT 'sequence', s.next, 'its next number is in use' FROM pgqrs_sequences AS s
WHERE s.name = 'batch' AND s.next <= (SELECT max(id) FROM pgqrs_batches)
UNION ALL
SELECT 'workflow', w.id, 'its queue is missing' FROM pgqrs_workflows AS w
WHERE NOT EXISTS (SELECT 1 FROM pgqrs_queues AS q WHERE q.id = w.id)
UNION ALL
SELECT 'run', r.id, 'its workflow is missing' FROM pgqrs_workflow_runs AS r
WHERE NOT EXISTS (SELECT 1 FROM pgqrs_workflows AS w WHERE w.id = r.queue_id)
UNION ALL
SELECT 'run', r.id, 'its status and the time of its end contradict each other'
FROM pgqrs_workflow_runs AS r
WHERE (r.status IN (3, 4, 6)) <> (r.finished_at IS NOT NULL)
UNION ALL
SELECT 'run', r.id, 'it is not finished, and its message is gone' FROM pgqrs_workflow_runs AS r
WHERE r.finished_at IS NULL AND NOT EXISTS (
  SELECT 1 FROM pgqrs_slices AS s NOT INDEXED
  WHERE s.id BETWEEN r.id - r.id % 64 AND r.id - r.id % 64 + 63 AND s.queue_id = r.queue_id
    AND (s.mask >> (r.id % 64)) & 1 = 1
) AND EXISTS (SELECT 1 FROM pgqrs_queues AS q WHERE q.id = r.queue_id AND q.deleted_at IS NULL)
UNION ALL
SELECT 'run', r.id, 'it is finished, and its message is still waiting' FROM pgqrs_workflow_runs AS r
WHERE r.finished_at IS NOT NULL AND EXISTS (
  SELECT 1 FROM pgqrs_slices AS s NOT INDEXED
  WHERE s.id BETWEEN r.id - r.id % 64 AND r.id - r.id % 64 + 63 AND s.queue_id = r.queue_id
    AND (s.mask >> (r.id % 64)) & 1 = 1
)
UNION ALL
SELECT 'step', t.id, 'its run is missing' FROM pgqrs_workflow_steps AS t
WHERE NOT EXISTS (SELECT 1 FROM pgqrs_workflow_runs AS r WHERE r.id = t.run_id)
UNION ALL
SELECT 'event', e.id, 'its run is missing' FROM pgqrs_workflow_events AS e
WHERE NOT EXISTS (SELECT 1 FROM pgqrs_workflow_runs AS r WHERE r.id = e.run_id);
