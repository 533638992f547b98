-- The two larger requests that a queue lives by, as functions: what a call does not need costs it
-- nothing, while each part of one long statement is set up for every call. Their statements get the planner
-- settings of the session that calls them.
--
-- A plan may be made while the tables are empty and used when they hold millions of rows, living or
-- dead. So a statement leaves the planner no choice of how to find them. What is looked up for each
-- row of a set is a lateral subquery with a limit, which cannot be joined in another order. What is
-- changed is joined by the place (ctid) that such a subquery or a lock gives, which no index has; by a
-- key the planner may read the whole table first, as soon as that seems to have a few rows. Where somebody
-- changes the row meanwhile, the conditions beside it are checked against the new one.

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
        SELECT one.ctid AS place FROM {schema}.pgqrs_slices AS one
        WHERE one.queue_id = of_queue AND one.id = w.id LIMIT 1
      ) AS found
    WHERE s.ctid = found.place AND s.read_ct >= max_reads
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

-- Hands out messages of a queue to those who ask at the same time: `wanted` says up to how many for
-- each of these deals, the other arrays to which worker, under which token, and for how many microseconds.
-- The first deals are served first. It looks at `slice_limit` slices at most, for each priority from
-- the visible time in `hints` on. What was read `max_reads` times already goes to the dead letters.
--
-- The answer has a row for each slice that something was taken of, with its part that keeps the row;
-- that has no deal where it stays. What was split off comes before them, one row a part without what is
-- known of its slice, under the id that the slice has had. Every row has the time and the number of slices
-- found, and the last ones when the next message becomes visible, where fewer are there than wanted.
-- Where nothing is there, it is one row with these alone. No row at all where the queue is gone.
CREATE FUNCTION {schema}.pgqrs_take(
  of_queue bigint, to_workers bigint[], under_tokens bigint[], wanted bigint[], leases bigint[],
  at timestamptz, max_reads bigint, hints timestamptz[], slice_limit bigint
) RETURNS TABLE (
  deal integer, slice bigint, part bigint, reads integer, of_priority smallint,
  was_visible timestamptz, enqueued timestamptz, producer bigint, texts jsonb, now timestamptz,
  slices bigint, next_visible timestamptz
)
LANGUAGE plpgsql AS $$
DECLARE
  most_buried CONSTANT integer := 1000;
  -- The slices that were found, in the order in which they are handed out.
  ids bigint[];
  places tid[];  -- They are locked, so that nobody moves them.
  masks bigint[];
  times timestamptz[];
  largest smallint;
  first_batch bigint;  -- With bounds that are known when it begins, a statement
  last_batch bigint;   -- opens no other partitions.
  some_are_exhausted boolean;
  buried integer := 0;
  -- A run: slices of one batch with one visible time. Their messages come out in the order of their
  -- positions, whichever slice they are in.
  first integer := 1;
  last integer;
  run bigint;
  chosen bigint;
  sibling record;
  key integer;
  to_deal integer := 1;
  missing bigint;  -- Messages that the deal still lacks.
  -- What becomes of the slices: the parts that keep the rows, and those that get new ones. Without a deal
  -- they stay.
  kept_ids bigint[] := '{}';
  kept_places tid[] := '{}';
  kept_masks bigint[] := '{}';
  kept_times timestamptz[] := '{}';
  kept_deals integer[] := '{}';
  split_ids bigint[] := '{}';
  split_masks bigint[] := '{}';
  split_deals integer[] := '{}';
BEGIN
  now := coalesce(at, clock_timestamp());
  LOOP
    SELECT array_agg(s.id), array_agg(s.ctid), array_agg(s.mask), array_agg(s.visible_at), count(*),
      max(s.n), coalesce(max(s.read_ct) >= max_reads, false), min(s.id) >> 6, max(s.id) >> 6
    INTO ids, places, masks, times, slices, largest, some_are_exhausted, first_batch, last_batch
    FROM (
      SELECT one.*
      FROM {schema}.pgqrs_queues AS q
        CROSS JOIN unnest(hints) WITH ORDINALITY AS p (hint, ordinality)
        CROSS JOIN LATERAL (
          SELECT each.ctid, each.* FROM {schema}.pgqrs_slices AS each
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
      largest := NULL;
      slices := slice_limit;
      EXIT;
    END IF;
  END LOOP;

  IF ids IS NULL THEN
    PERFORM FROM {schema}.pgqrs_queues AS q WHERE q.id = of_queue AND q.deleted_at IS NULL;
    IF NOT FOUND THEN
      RETURN;
    END IF;
  END IF;

  last := 0;
  WHILE largest = 1 AND to_deal <= cardinality(wanted) AND last < slices LOOP
    missing := wanted[to_deal] - (slices - last);
    kept_deals := kept_deals
      || array_fill(to_deal, ARRAY[(wanted[to_deal] - greatest(missing, 0))::integer]);
    last := cardinality(kept_deals);
    EXIT WHEN missing > 0;
    to_deal := to_deal + 1;
  END LOOP;
  -- Nothing can be split, unless the limit has cut the last run.
  IF largest = 1 AND (slices < slice_limit OR ids[last] >> 6 <> ids[slices] >> 6) THEN
    kept_ids := ids[:last];
    kept_places := places[:last];
    kept_masks := masks[:last];
    kept_times := times[:last];
  ELSE
    kept_deals := '{}';
    to_deal := 1;
    missing := wanted[1];
    WHILE first <= cardinality(ids) AND to_deal <= cardinality(wanted) LOOP
      last := first;
      run := masks[first];
      IF run <> -1 THEN
        WHILE ids[last + 1] >> 6 = ids[first] >> 6 AND times[last + 1] = times[first] LOOP
          last := last + 1;
          run := run | masks[last];
        END LOOP;
        IF last = slices AND slices >= slice_limit THEN  -- The limit may have cut it.
          FOR sibling IN
            SELECT s.id, s.ctid AS place, s.mask FROM {schema}.pgqrs_slices AS s
            WHERE s.queue_id = of_queue AND s.id > ids[last] AND s.id <= ids[last] | 63
              AND s.visible_at = times[last] AND s.read_ct < max_reads
            ORDER BY s.id FOR UPDATE SKIP LOCKED
          LOOP
            last := last + 1;
            ids := ids || sibling.id;
            places := places || sibling.place;
            masks := masks || sibling.mask;
            run := run | sibling.mask;
          END LOOP;
        END IF;
      END IF;

      WHILE run <> 0 LOOP
        chosen := run;
        IF to_deal <= cardinality(wanted) THEN
          deal := to_deal;
          IF missing < bit_count(run::bit(64)) THEN
            chosen := {schema}.pgqrs_low_bits(run, missing::integer);
          END IF;
          missing := missing - bit_count(chosen::bit(64));
          IF missing = 0 THEN
            to_deal := to_deal + 1;
            missing := wanted[to_deal];
          END IF;
        ELSE
          deal := NULL;
        END IF;
        FOR i IN first..last LOOP
          part := masks[i] & chosen;
          IF part = 0 OR deal IS NULL AND part = masks[i] THEN
            CONTINUE;
          END IF;
          -- The part with the key keeps the row; where that is settled already, the one with the highest.
          key := ids[i] & 63;
          IF masks[i] >> key & 1 = 0 THEN
            key := {schema}.pgqrs_high_position(masks[i]);
          END IF;
          IF part >> key & 1 = 1 THEN
            kept_ids := kept_ids || ids[i];
            kept_places := kept_places || places[i];
            kept_masks := kept_masks || part;
            kept_times := kept_times || times[first];
            kept_deals := kept_deals || deal;
          ELSE
            split_ids := split_ids || ids[i];
            split_masks := split_masks || part;
            split_deals := split_deals || deal;
            slice := ids[i];
            RETURN NEXT;
          END IF;
        END LOOP;
        run := run & ~chosen;
      END LOOP;
      first := last + 1;
    END LOOP;
  END IF;

  -- For those that get less than they want, or nothing.
  IF to_deal <= cardinality(wanted) AND (slices < slice_limit OR ids IS NULL) THEN
    SELECT min(each.visible_at) INTO next_visible
    FROM generate_series(0, 9) AS p (priority)
      CROSS JOIN LATERAL (
        SELECT s.visible_at FROM {schema}.pgqrs_slices AS s
        WHERE s.queue_id = of_queue AND s.priority = p.priority AND s.visible_at > now
        ORDER BY s.visible_at LIMIT 1
      ) AS each;
  END IF;
  IF ids IS NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;

  IF cardinality(split_ids) > 0 THEN
    INSERT INTO {schema}.pgqrs_slices
      (queue_id, id, mask, n, priority, visible_at, read_ct, worker_id, lease_token, leased_at,
       last_error)
    SELECT of_queue, (w.id >> 6) * 64 + {schema}.pgqrs_high_position(w.mask), w.mask,
      bit_count(w.mask::bit(64)), s.priority,
      coalesce(now + leases[w.deal] * interval '1 microsecond', s.visible_at),
      s.read_ct + (w.deal IS NOT NULL)::integer, coalesce(to_workers[w.deal], s.worker_id),
      coalesce(under_tokens[w.deal], s.lease_token),
      CASE WHEN w.deal IS NULL THEN s.leased_at ELSE now END, s.last_error
    FROM unnest(split_ids, split_masks, split_deals) AS w (id, mask, deal)
      CROSS JOIN LATERAL (
        SELECT * FROM {schema}.pgqrs_slices AS one
        WHERE one.queue_id = of_queue AND one.id = w.id LIMIT 1
      ) AS s;
  END IF;
  RETURN QUERY
  UPDATE {schema}.pgqrs_slices AS s
  SET mask = b.mask, n = bit_count(b.mask::bit(64)),
    visible_at = coalesce(now + leases[b.deal] * interval '1 microsecond', s.visible_at),
    read_ct = s.read_ct + (b.deal IS NOT NULL)::integer,
    worker_id = coalesce(to_workers[b.deal], s.worker_id),
    lease_token = coalesce(under_tokens[b.deal], s.lease_token),
    leased_at = CASE WHEN b.deal IS NULL THEN s.leased_at ELSE now END
  FROM unnest(kept_ids, kept_places, kept_masks, kept_times, kept_deals)
      AS w (id, place, mask, visible_at, deal)
    CROSS JOIN LATERAL (
      SELECT one.enqueued_at, one.producer_worker_id, one.payloads,
        w.place, w.mask, w.visible_at, w.deal
      FROM {schema}.pgqrs_batches AS one
      WHERE one.queue_id = of_queue AND one.id = w.id >> 6
        AND one.id BETWEEN first_batch AND last_batch
      LIMIT 1
    ) AS b
  WHERE s.ctid = b.place
  RETURNING b.deal, s.id, s.mask, s.read_ct + (b.deal IS NULL)::integer, s.priority,
    b.visible_at, b.enqueued_at, b.producer_worker_id, b.payloads, now, slices, next_visible;
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
        SELECT one.ctid AS place, one.mask, w.token, w.worker_id
        FROM {schema}.pgqrs_slices AS one
        WHERE one.queue_id = w.queue_id
          AND one.id BETWEEN w.batch_id * 64 AND w.batch_id * 64 + 63 AND one.mask = w.mask
        ORDER BY one.id LIMIT 1
      ) AS found
    WHERE s.ctid = found.place AND s.mask = found.mask
      AND (s.lease_token = found.token
        OR found.token IS NULL AND s.lease_token IS NOT NULL AND s.worker_id = found.worker_id)
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
    SET mask = s.mask & ~found.part, n = s.n - bit_count(found.part::bit(64))
    FROM unnest(of_queues, of_batches, masks, tokens, workers)
        AS w (queue_id, batch_id, mask, token, worker_id)
      CROSS JOIN LATERAL (
        SELECT one.ctid AS place, w.mask AS part, w.token, w.worker_id
        FROM {schema}.pgqrs_slices AS one
        WHERE one.queue_id = w.queue_id
          AND one.id BETWEEN w.batch_id * 64 AND w.batch_id * 64 + 63
          AND one.mask & w.mask = w.mask AND one.mask <> w.mask
        ORDER BY one.id LIMIT 1
      ) AS found
    WHERE s.ctid = found.place
      AND s.mask & found.part = found.part AND s.mask <> found.part
      AND (s.lease_token = found.token
        OR found.token IS NULL AND s.lease_token IS NOT NULL AND s.worker_id = found.worker_id)
    RETURNING s.*, found.part
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
