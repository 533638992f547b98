// graphile-worker on Postgres.

import pg from "pg";
import { Logger, WorkerPreset, makeWorkerUtils, run } from "graphile-worker";
import { packageVersion } from "./common.js";

const TASK = "bench";

// Those of https://worker.graphile.org/docs/performance, with which its own figures were measured.
const PERFORMANCE = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};

// A retry is due e^attempts seconds later, which cannot be set; only how soon that is seen can.
const RETRY_POLL_MS = 100;

const quiet = new Logger(() => (level, message) => {
  if (level === "error" && !message.startsWith("Failed task")) console.error(message);
});

export function describe() {
  const fromDocs = "as in the documentation's page on performance";
  return {
    package: packageVersion("graphile-worker"),
    settings: {
      concurrentJobs: `24: ${fromDocs}`,
      maxPoolSize: `25: ${fromDocs}; as many as callers where there are more`,
      localQueue: `size 500: ${fromDocs}, fetches jobs in batches`,
      completeJobBatchDelay: `0: ${fromDocs}, completes jobs in batches`,
      failJobBatchDelay: `0: ${fromDocs}, fails jobs in batches`,
      pollInterval: `${RETRY_POLL_MS} ms for retry: sees due retries soon; else the default`,
    },
    delivery: "at-least-once",
    notes:
      "A failed job is due again e^attempts seconds later (2.7 s the first time); this delay " +
      "cannot be set. Each of W workers is a runner with its own pool and local queue.",
  };
}

export async function open({ dsn, schema, callers, role }) {
  const preset = {
    extends: [WorkerPreset],
    worker: {
      ...PERFORMANCE,
      connectionString: dsn,
      schema,
      maxPoolSize: Math.max(PERFORMANCE.maxPoolSize, callers),
      logger: quiet,
      ...(role === "retry" ? { pollInterval: RETRY_POLL_MS } : {}),
    },
  };
  const utils = await makeWorkerUtils({ preset });
  await utils.migrate();
  const pool = new pg.Pool({ connectionString: dsn, max: 1 });
  const jobs = `${pg.escapeIdentifier(schema)}._private_jobs`;

  return {
    enqueue: (message) => utils.addJob(TASK, message),
    enqueueBulk: (messages) =>
      utils.addJobs(messages.map((payload) => ({ identifier: TASK, payload }))),
    async start(workers, handler) {
      const taskList = { [TASK]: async (payload) => handler(payload) };
      const startOne = () => run({ preset, taskList, noHandleSignals: true });
      const runners = await Promise.all(Array.from({ length: workers }, startOne));
      return () => Promise.all(runners.map((runner) => runner.stop()));
    },
    async waiting() {
      // A job is deleted when it completes.
      const { rows } = await pool.query(`select count(*)::int as n from ${jobs}`);
      return rows[0].n;
    },
    async close() {
      await utils.release();
      await pool.end();
    },
  };
}
