// pg-boss on Postgres.

import pg from "pg";
import { PgBoss } from "pg-boss";
import { packageVersion } from "./common.js";

const QUEUE = "bench";

const WORK = {
  batchSize: 1000,
  burstWhenBatchFull: true,
  // The shortest that is allowed; both are of use only where the fetch before was short.
  pollingIntervalSeconds: 0.5,
  notifyPollingIntervalSeconds: 0.5,
};

export function describe() {
  return {
    package: packageVersion("pg-boss"),
    settings: {
      batchSize: `${WORK.batchSize}: fetches and completes jobs in batches; as large as the bulk`,
      burstWhenBatchFull:
        "true: fetches again at once after a full batch, where the default waits 2 s",
      pollingIntervalSeconds: "0.5: the shortest that is allowed; default 2",
      notifyPollingIntervalSeconds: "0.5: the same while notifications arrive; default 30",
      useListenNotify: "true, with notify of the queue: wakes workers at once, for wake and steady",
      retryDelay: "0 with retryLimit 2: the shortest delay",
      perJobResults: "true for retry: only the job that failed is retried, not its whole batch",
      supervise: "false, and schedule too: no maintenance and no cron while it is measured",
    },
    delivery: "at-least-once",
    notes:
      "A completed job stays in the table, as is the default. The latency of a job in a batch is " +
      "taken when the handler of the batch reaches it. Each of W workers is a PgBoss of its own.",
  };
}

/** Lets the jobs of a batch fail each for itself. */
function settleEach(handler) {
  return async (jobs) =>
    jobs.map(({ id, data }) => {
      try {
        handler(data);
        return { id, status: "completed" };
      } catch (error) {
        return { id, status: "failed", output: { message: error.message } };
      }
    });
}

const handleAll = (handler) => async (jobs) => {
  for (const { data } of jobs) handler(data);
};

export async function open({ dsn, schema, callers, role }) {
  // Notifications cost each enqueue something, and serve only idle workers.
  const notify = role === "wake" || role === "steady";
  const startBoss = async (max) => {
    const boss = new PgBoss({
      connectionString: dsn,
      schema,
      max,
      supervise: false,
      schedule: false,
      useListenNotify: notify,
    });
    boss.on("error", (error) => console.error(error));
    return boss.start();
  };
  const boss = await startBoss(Math.max(10, callers));
  if (!(await boss.getQueue(QUEUE))) await boss.createQueue(QUEUE);
  await boss.updateQueue(QUEUE, { notify, retryLimit: 2, retryDelay: 0 });

  const pool = new pg.Pool({ connectionString: dsn, max: 1 });
  const jobs = `${pg.escapeIdentifier(schema)}.job`;

  return {
    enqueue: (message) => boss.send(QUEUE, message),
    enqueueBulk: (messages) =>
      boss.insert(
        QUEUE,
        messages.map((data) => ({ data })),
      ),
    async start(workers, handler) {
      const perJobResults = role === "retry";
      const work = perJobResults ? settleEach(handler) : handleAll(handler);
      const startOne = async () => {
        const instance = await startBoss(10);
        await instance.work(QUEUE, { ...WORK, perJobResults }, work);
        return instance;
      };
      const instances = await Promise.all(Array.from({ length: workers }, startOne));
      return () => Promise.all(instances.map((instance) => instance.stop()));
    },
    async waiting() {
      const { rows } = await pool.query(
        `select count(*)::int as n from ${jobs} where name = $1 and state <> 'completed'`,
        [QUEUE],
      );
      return rows[0].n;
    },
    async close() {
      await boss.stop();
      await pool.end();
    },
  };
}
