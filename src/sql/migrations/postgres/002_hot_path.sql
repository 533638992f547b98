-- The two larger requests that a queue lives by, as functions: what a call does not need costs it
-- nothing, while each part of one long statement is set up for every call. Their statements get the planner
-- settings of the session that calls them.
--
-- A plan may be made while the tables are empty and used when they hold millions of rows, living or
-- dead. So a statement leaves the planner no choice of how to find them: what is looked up for each
-- row of a set is a lateral subquery with a limit, which cannot be joined in another order; and what
-- is changed is joined by the whole primary key as such a subquery gives it, since with a queue known
-- beforehand all its slices might be read first.

-- The lowest `count` bits of a mask.
CREATE FUNCTION {schema}.pgqrs_low_bits(mask bigint, count integer) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
  bit_63 CONSTANT bigint := -9223372036854775808;  -- Its negative does not fit.
  highest CONSTANT bigint := 9223372036854775807;
  low bigint;
  taken bigint := 0;
BEGIN
  IF count >= 64 OR mask = 0 THEN
    RETURN mask;
  END IF;
  low := CASE mask WHEN bit_63 THEN bit_63 ELSE mask & -mask END;
  -- All of its bits side by side, as mostly.
  IF low <> bit_63 AND (mask > highest - low OR mask & (mask + low) = 0) THEN
    RETURN mask & ~(-low << count);
  END IF;
  FOR i IN 1..count LOOP
    IF mask = bit_63 THEN
      RETURN taken | mask;
    END IF;
    taken := taken | (mask & -mask);
    mask := mask & ~taken;
  END LOOP;
  RETURN taken;
END
$$;

-- The position of the highest bit of a mask.
CREATE FUNCTION {schema}.pgqrs_high_position(mask bigint) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN length(ltrim(mask::bit(64)::text, '0')) - 1;

-- Moves those of a queue's slices that were read so often to the dead letters.
CREATE FUNCTION {schema}.pgqrs_bury(
  of_queue bigint, ids bigint[], max_reads bigint, at timestamptz
) RETURNS void
LANGUAGE sql AS $$
  WITH exhausted AS (
    DELETE FROM {schema}.pgqrs_slices AS s
    USING unnest(ids) AS w (id)
      CROSS JOIN LATERAL (
        SELECT one.queue_id, one.id FROM {schema}.pgqrs_slices AS one
        WHERE one.queue_id = of_queue AND one.id = w.id LIMIT 1
      ) AS found
    WHERE s.queue_id = found.queue_id AND s.id = found.id AND s.read_ct >= max_reads
    RETURNING s.*
  )
  INSERT INTO {schema}.pgqrs_archive
    (queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, lease_token, leased_at,
     archived_at, reason, last_error)
  SELECT e.queue_id, e.id >> 6, e.mask, e.n, true, e.priority, e.read_ct, e.worker_id,
    e.lease_token, e.leased_at, at,
    format('read %s %s without an ack (max_read_ct is %s)', e.read_ct,
      CASE e.read_ct WHEN 1 THEN 'time' ELSE 'times' END, max_reads),
    e.last_error
  FROM exhausted AS e
$$;

-- Hands out up to `wanted` messages of a queue to a worker, under a lease of so many microseconds.
-- It looks at `slice_limit` slices at most, for each priority from the visible time in `hints` on.
-- Whole slices are taken while they fit, and the last one is split. What was read `max_reads` times
-- already goes to the dead letters. One row for each slice that is taken, or a part of it; where
-- there are none, one row with nothing but the last columns: the time, the slices found, and the
-- time of the next message. No row at all where the queue is gone.
CREATE FUNCTION {schema}.pgqrs_take(
  of_queue bigint, to_worker bigint, under_token bigint, wanted bigint, lease bigint,
  at timestamptz, max_reads bigint, hints timestamptz[], slice_limit bigint
) RETURNS TABLE (
  batch bigint, part bigint, reads integer, of_priority smallint, was_visible timestamptz,
  enqueued timestamptz, producer bigint, texts jsonb, now timestamptz, slices bigint,
  next_visible timestamptz
)
LANGUAGE plpgsql AS $$
DECLARE
  most_buried CONSTANT integer := 1000;
  lease_end timestamptz;
  -- The slices that were found, in the order in which they are handed out.
  ids bigint[];
  masks bigint[];
  times timestamptz[];
  first_batch bigint; -- With bounds that are known when it begins, a statement
  last_batch bigint;  -- opens no other partitions.
  some_are_exhausted boolean;
  buried integer := 0;
  last integer;       -- The last one that is needed.
  messages bigint;    -- Of those up to the last one.
  -- Its run: slices of one batch with one visible time. Their messages come out in the order of
  -- their positions, whichever slice they are in.
  run_begin integer;
  run_mask bigint;
  whole_of_run bigint[] := '{}';  -- Where it is cut.
  slice record;
BEGIN
  now := coalesce(at, clock_timestamp());
  lease_end := now + lease * interval '1 microsecond';
  LOOP
    SELECT array_agg(s.id), array_agg(s.mask), array_agg(s.visible_at), count(*),
      coalesce(sum(s.n), 0), coalesce(max(s.read_ct) >= max_reads, false), min(s.id) >> 6,
      max(s.id) >> 6
    INTO ids, masks, times, slices, messages, some_are_exhausted, first_batch, last_batch
    FROM (
      SELECT one.*
      FROM {schema}.pgqrs_queues AS q
        CROSS JOIN unnest(hints) WITH ORDINALITY AS p (hint, ordinality)
        CROSS JOIN LATERAL (
          SELECT * FROM {schema}.pgqrs_slices AS each
          WHERE each.queue_id = of_queue AND each.priority = p.ordinality - 1
            AND each.visible_at <= now AND each.visible_at >= p.hint
          ORDER BY each.visible_at, each.id LIMIT slice_limit
          FOR UPDATE SKIP LOCKED
        ) AS one
      WHERE q.id = of_queue AND q.deleted_at IS NULL
      LIMIT slice_limit
    ) AS s;
    EXIT WHEN NOT some_are_exhausted;
    PERFORM {schema}.pgqrs_bury(of_queue, ids, max_reads, now);
    buried := buried + slices;
    IF buried >= most_buried THEN  -- The caller goes on where it finds as many as it looked at.
      ids := NULL;
      slices := slice_limit;
      EXIT;
    END IF;
  END LOOP;

  last := coalesce(cardinality(ids), 0);
  IF last = 0 THEN
    PERFORM FROM {schema}.pgqrs_queues AS q WHERE q.id = of_queue AND q.deleted_at IS NULL;
    IF NOT FOUND THEN
      RETURN;
    END IF;
    SELECT min(first.visible_at) INTO next_visible
    FROM generate_series(0, 9) AS p (priority)
      CROSS JOIN LATERAL (
        SELECT s.visible_at FROM {schema}.pgqrs_slices AS s
        WHERE s.queue_id = of_queue AND s.priority = p.priority AND s.visible_at > now
        ORDER BY s.visible_at LIMIT 1
      ) AS first;
    RETURN NEXT;
    RETURN;
  END IF;

  WHILE messages - bit_count(masks[last]::bit(64)) >= wanted LOOP
    messages := messages - bit_count(masks[last]::bit(64));
    last := last - 1;
  END LOOP;
  run_begin := last;
  run_mask := masks[last];
  IF run_mask <> -1 THEN
    WHILE run_begin > 1 AND ids[run_begin - 1] >> 6 = ids[last] >> 6
      AND times[run_begin - 1] = times[last]
    LOOP
      run_begin := run_begin - 1;
      run_mask := run_mask | masks[run_begin];
    END LOOP;
    -- What the limit has cut off.
    IF last = cardinality(ids) AND slices >= slice_limit THEN
      FOR slice IN
        SELECT s.id, s.mask FROM {schema}.pgqrs_slices AS s
        WHERE s.queue_id = of_queue AND s.id > ids[last] AND s.id <= ids[last] | 63
          AND s.visible_at = times[last] AND s.read_ct < max_reads
        ORDER BY s.id FOR UPDATE SKIP LOCKED
      LOOP
        ids := ids || slice.id;
        masks := masks || slice.mask;
        times := times || times[last];
      END LOOP;
    END IF;
    WHILE ids[last + 1] >> 6 = ids[last] >> 6 AND times[last + 1] = times[last] LOOP
      last := last + 1;
      messages := messages + bit_count(masks[last]::bit(64));
      run_mask := run_mask | masks[last];
    END LOOP;
  END IF;

  -- The last run is cut where it does not fit: what is taken of it are its lowest positions.
  IF messages > wanted THEN
    run_mask := {schema}.pgqrs_low_bits(
      run_mask, (wanted - messages + bit_count(run_mask::bit(64)))::integer);
    FOR i IN run_begin..last LOOP
      part := masks[i] & run_mask;
      IF part = masks[i] THEN
        whole_of_run := whole_of_run || ids[i];
      ELSIF part >> (ids[i] & 63)::integer & 1 = 1 THEN  -- The part with the key keeps the row.
        INSERT INTO {schema}.pgqrs_slices
          (queue_id, id, mask, n, priority, visible_at, read_ct, worker_id, lease_token, leased_at,
           last_error)
        SELECT s.queue_id, (s.id >> 6) * 64 + {schema}.pgqrs_high_position(s.mask & ~part),
          s.mask & ~part, bit_count((s.mask & ~part)::bit(64)), s.priority, s.visible_at, s.read_ct,
          s.worker_id, s.lease_token, s.leased_at, s.last_error
        FROM {schema}.pgqrs_slices AS s WHERE s.queue_id = of_queue AND s.id = ids[i];
        UPDATE {schema}.pgqrs_slices AS s SET mask = part, n = bit_count(part::bit(64))
        WHERE s.queue_id = of_queue AND s.id = ids[i];
        whole_of_run := whole_of_run || ids[i];
      ELSIF part <> 0 THEN
        RETURN QUERY
        WITH kept AS (
          UPDATE {schema}.pgqrs_slices AS s
          SET mask = s.mask & ~part, n = s.n - bit_count(part::bit(64))
          WHERE s.queue_id = of_queue AND s.id = ids[i]
          RETURNING s.priority, s.visible_at, s.read_ct + 1 AS read_ct, s.last_error
        ),
        split_off AS (
          INSERT INTO {schema}.pgqrs_slices
            (queue_id, id, mask, n, priority, visible_at, read_ct, worker_id, lease_token,
             leased_at, last_error)
          SELECT of_queue, (ids[i] >> 6) * 64 + {schema}.pgqrs_high_position(part), part,
            bit_count(part::bit(64)), k.priority, lease_end, k.read_ct, to_worker, under_token, now,
            k.last_error
          FROM kept AS k
        )
        SELECT b.id, part, k.read_ct, k.priority, k.visible_at, b.enqueued_at,
          b.producer_worker_id, b.payloads, now, slices, next_visible
        FROM kept AS k
          CROSS JOIN LATERAL (
            SELECT * FROM {schema}.pgqrs_batches AS one
            WHERE one.queue_id = of_queue AND one.id = ids[i] >> 6 LIMIT 1
          ) AS b;
      END IF;
    END LOOP;
    last := run_begin - 1;
    IF last = 0 AND cardinality(whole_of_run) = 0 THEN
      RETURN;
    END IF;
  END IF;
  RETURN QUERY
  UPDATE {schema}.pgqrs_slices AS s
  SET visible_at = lease_end, read_ct = s.read_ct + 1, worker_id = to_worker,
    lease_token = under_token, leased_at = now
  FROM unnest(
      ids[:last] || whole_of_run,
      times[:last] || array_fill(times[run_begin], ARRAY[cardinality(whole_of_run)])
    ) AS w (id, visible_at)
    CROSS JOIN LATERAL (
      SELECT * FROM {schema}.pgqrs_batches AS one
      WHERE one.queue_id = of_queue AND one.id = w.id >> 6
        AND one.id BETWEEN first_batch AND last_batch
      LIMIT 1
    ) AS b
  WHERE s.queue_id = b.queue_id AND s.id = w.id
  RETURNING b.id, s.mask, s.read_ct, s.priority, w.visible_at, b.enqueued_at,
    b.producer_worker_id, b.payloads, now, slices, next_visible;
END
$$;

-- Moves messages from the hot set to the archive, those of `masks` in each batch, all under one
-- lease: of that token, or where it is null, whatever that worker has on them. A row counts only
-- where all of its messages lie in one slice under that lease; the answer names these.
CREATE FUNCTION {schema}.pgqrs_ack(
  of_queues bigint[], of_batches bigint[], masks bigint[], tokens bigint[], workers bigint[],
  at timestamptz
) RETURNS TABLE (
  of_queue bigint, of_batch bigint, acked bigint, worker bigint, token bigint
)
LANGUAGE plpgsql AS $$
DECLARE
  done integer;
BEGIN
  at := coalesce(at, clock_timestamp());
  RETURN QUERY
  WITH whole AS (
    DELETE FROM {schema}.pgqrs_slices AS s
    USING unnest(of_queues, of_batches, masks, tokens, workers)
        AS w (queue_id, batch_id, mask, token, worker_id)
      CROSS JOIN LATERAL (
        SELECT one.queue_id, one.id FROM {schema}.pgqrs_slices AS one
        WHERE one.queue_id = w.queue_id
          AND one.id BETWEEN w.batch_id * 64 AND w.batch_id * 64 + 63 AND one.mask = w.mask
        ORDER BY one.id LIMIT 1
      ) AS found
    WHERE s.queue_id = found.queue_id AND s.id = found.id AND s.mask = w.mask
      AND (s.lease_token = w.token
        OR w.token IS NULL AND s.lease_token IS NOT NULL AND s.worker_id = w.worker_id)
    RETURNING s.*
  )
  INSERT INTO {schema}.pgqrs_archive AS a
    (queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, lease_token, leased_at,
     archived_at, last_error)
  SELECT s.queue_id, s.id >> 6, s.mask, s.n, false, s.priority, s.read_ct, s.worker_id,
    s.lease_token, s.leased_at, at, s.last_error
  FROM whole AS s
  RETURNING a.queue_id, a.batch_id, a.mask, a.worker_id, a.lease_token;
  GET DIAGNOSTICS done = ROW_COUNT;
  IF done = cardinality(masks) THEN
    RETURN;
  END IF;
  -- What is left is a part of a slice, or nothing. The slices of a batch have no message in common.
  RETURN QUERY
  WITH rest AS (
    UPDATE {schema}.pgqrs_slices AS s
    SET mask = s.mask & ~w.mask, n = s.n - bit_count(w.mask::bit(64))
    FROM unnest(of_queues, of_batches, masks, tokens, workers)
        AS w (queue_id, batch_id, mask, token, worker_id)
      CROSS JOIN LATERAL (
        SELECT one.queue_id, one.id FROM {schema}.pgqrs_slices AS one
        WHERE one.queue_id = w.queue_id
          AND one.id BETWEEN w.batch_id * 64 AND w.batch_id * 64 + 63
          AND one.mask & w.mask = w.mask AND one.mask <> w.mask
        ORDER BY one.id LIMIT 1
      ) AS found
    WHERE s.queue_id = found.queue_id AND s.id = found.id
      AND s.mask & w.mask = w.mask AND s.mask <> w.mask
      AND (s.lease_token = w.token
        OR w.token IS NULL AND s.lease_token IS NOT NULL AND s.worker_id = w.worker_id)
    RETURNING s.*, w.mask AS part
  )
  INSERT INTO {schema}.pgqrs_archive AS a
    (queue_id, batch_id, mask, n, dead, priority, read_ct, worker_id, lease_token, leased_at,
     archived_at, last_error)
  SELECT s.queue_id, s.id >> 6, s.part, bit_count(s.part::bit(64)), false, s.priority, s.read_ct,
    s.worker_id, s.lease_token, s.leased_at, at, s.last_error
  FROM rest AS s
  RETURNING a.queue_id, a.batch_id, a.mask, a.worker_id, a.lease_token;
END
$$;
