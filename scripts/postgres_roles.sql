-- Roles with the least rights for those who use a queue on Postgres: a producer enqueues, a consumer
-- dequeues and settles, an administrator makes and deletes queues and cleans up. docs/security.md
-- says what each can do and cannot.
--
-- The owner of the schema, who may also make roles, runs it once with psql, after the schema was
-- installed (by the first Connect, for example):
--
--   psql -v ON_ERROR_STOP=1 -v schema=queue -v producer=queue_producer \
--     -v consumer=queue_consumer -v admin=queue_admin -f scripts/postgres_roles.sql DSN
--
-- None of the roles can log in. They are given to those that do: GRANT queue_producer TO web_app;

CREATE ROLE :"producer" NOLOGIN;
CREATE ROLE :"consumer" NOLOGIN;
CREATE ROLE :"admin" NOLOGIN;

-- Everybody who opens a store: it looks at the schema, finds queues, and registers a worker, whose
-- heartbeat it renews.
GRANT USAGE ON SCHEMA :"schema" TO :"producer", :"consumer", :"admin";
GRANT SELECT ON :"schema".pgqrs_schema_migrations, :"schema".pgqrs_queues
TO :"producer", :"consumer", :"admin";
GRANT SELECT, INSERT, UPDATE ON :"schema".pgqrs_workers TO :"producer", :"consumer", :"admin";

-- The producer. The functions run with the rights of their owner, and the view calls them; who
-- enqueues by them alone needs nothing but these rights and that to use the schema.
GRANT EXECUTE ON FUNCTION
  :"schema".pgqrs_enqueue(text, jsonb, interval, timestamptz, integer),
  :"schema".pgqrs_enqueue_batch(text, jsonb[], interval, timestamptz, integer)
TO :"producer", :"admin";
GRANT INSERT ON :"schema".pgqrs_messages TO :"producer", :"admin";

-- The library stores messages itself, with ids that it has reserved, and asks which were stored.
GRANT EXECUTE ON FUNCTION :"schema".pgqrs_reserve_batch_ids(bigint) TO :"producer", :"admin";
GRANT INSERT (queue_id, id, n, enqueued_at, producer_worker_id, payloads),
  SELECT (queue_id, id, n, enqueued_at)
ON :"schema".pgqrs_batches TO :"producer";
GRANT INSERT (queue_id, id, mask, visible_at, priority, n), SELECT (queue_id, id, visible_at)
ON :"schema".pgqrs_slices TO :"producer";

-- Who triggers runs of workflows. An idempotency key is looked up.
GRANT SELECT ON :"schema".pgqrs_workflows TO :"producer", :"consumer";
GRANT INSERT (id, queue_id, status, epoch, version, idempotency_key, priority, parent_id,
    parent_step, parent_ordinal, pause_requested, waits_for_children, input, created_at,
    updated_at),
  SELECT (id, queue_id, idempotency_key)
ON :"schema".pgqrs_workflow_runs TO :"producer";

-- The consumer. Deleting a message blanks its payload.
GRANT USAGE ON SEQUENCE :"schema".pgqrs_lease_tokens TO :"consumer", :"admin";
GRANT SELECT, INSERT, UPDATE, DELETE ON :"schema".pgqrs_slices, :"schema".pgqrs_archive
TO :"consumer";
GRANT SELECT, UPDATE (payloads), DELETE ON :"schema".pgqrs_batches TO :"consumer";
GRANT SELECT ON :"schema".pgqrs_messages TO :"consumer", :"admin";

-- It runs workflows too, and what it does to a message may end a run. To trigger child runs it needs
-- to be a producer as well.
GRANT SELECT, INSERT, UPDATE
ON :"schema".pgqrs_workflow_runs, :"schema".pgqrs_workflow_steps TO :"consumer";
GRANT SELECT, INSERT, UPDATE, DELETE ON :"schema".pgqrs_workflow_events TO :"consumer";

-- Retention: it drops what may be removed message by message, and nothing else. And that which keeps
-- the hot set small, in which no message changes.
GRANT EXECUTE ON FUNCTION
  :"schema".pgqrs_drop_oldest_partition(bigint, timestamptz, bigint),
  :"schema".pgqrs_compact_slices(bigint)
TO :"consumer", :"admin";

-- The administrator: everything but changes of the schema.
GRANT SELECT, INSERT, UPDATE, DELETE
ON :"schema".pgqrs_queues, :"schema".pgqrs_workers, :"schema".pgqrs_batches,
  :"schema".pgqrs_slices, :"schema".pgqrs_archive, :"schema".pgqrs_workflows,
  :"schema".pgqrs_workflow_runs, :"schema".pgqrs_workflow_steps, :"schema".pgqrs_workflow_events
TO :"admin";