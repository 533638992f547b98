// Plays one role for one peer, and prints its figures as one line of JSON.
//
// A peer's module exports describe(), and open(options), whose object has
//   enqueue(message)          one message by the peer's single call; resolves when it is durable
//   enqueueBulk(messages)     the same by its bulk call; null where it has none
//   start(workers, handler)   starts workers; resolves to a function that stops them
//   waiting()                 how many messages are not completed, by SQL on the peer's tables
//   close()

import { parseArgs } from "node:util";
import {
  Stopwatch,
  Tally,
  clockMicros,
  makeBatches,
  makeMessage,
  percentile,
  sleep,
  stallGuard,
} from "./common.js";

const PEERS = {
  "graphile-worker": "./graphile_worker.js",
  "pg-boss": "./pg_boss.js",
};

const BULK = 1000;
const STEADY_BULK = 100;
const FILL_CALLERS = 64;
const FAIL_EVERY = 10;

async function enqueueByCallers(queue, { count, callers, payload }) {
  let next = 0;
  const call = async () => {
    while (next < count) {
      await queue.enqueue(makeMessage(next++, payload));
      stallGuard.progress();
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
}

async function enqueueByBulk(queue, { count, payload }) {
  for (const batch of makeBatches(count, BULK, payload)) {
    await queue.enqueueBulk(batch);
    stallGuard.progress();
  }
}

async function measureEnqueue(queue, options, run) {
  const watch = new Stopwatch();
  await run(queue, options);
  const figures = { rate: options.count / watch.seconds(), cpu_s: watch.cpuSeconds() };
  const waiting = await queue.waiting();
  if (waiting !== options.count) {
    throw new Error(`${waiting} messages wait in the database, not ${options.count}`);
  }
  return figures;
}

/** Waits until the tally is full and nothing is left in the peer's tables. */
async function waitUntilDone(queue, isHandled) {
  while (!isHandled()) await sleep(1);
  // Acknowledgements may be batched, and come after the handlers.
  while ((await queue.waiting()) > 0) await sleep(2);
}

async function measureDrain(queue, { count }, workers, handler, tally, expected) {
  let wanted = 0;
  for (let n = 0; n < count; n++) wanted += expected(n);
  const watch = new Stopwatch();
  const stop = await queue.start(workers, handler);
  await waitUntilDone(queue, () => tally.total >= wanted && tally.distinct >= count);
  const seconds = watch.seconds();
  const cpu_s = watch.cpuSeconds();
  await stop();
  const duplicates = tally.check(count, expected);
  return { rate: count / seconds, seconds, duplicates, cpu_s };
}

function drain(queue, options) {
  const tally = new Tally();
  const handler = (message) => {
    tally.note(message.n);
  };
  return measureDrain(queue, options, options.workers, handler, tally, () => 1);
}

function retry(queue, options) {
  const tally = new Tally();
  const fails = (n) => n % FAIL_EVERY === 0;
  const handler = ({ n }) => {
    if (tally.note(n) === 1 && fails(n)) throw new Error("the first attempt fails");
  };
  return measureDrain(queue, options, 1, handler, tally, (n) => (fails(n) ? 2 : 1));
}

async function steady(queue, { seconds, outstanding, payload }) {
  const tally = new Tally();
  const latencies = Array.from({ length: seconds }, () => []);
  let produced = 0;
  const watch = new Stopwatch();
  const handler = ({ n, t }) => {
    const latency = Math.max(0, clockMicros() - t) / 1000;
    tally.note(n);
    latencies[Math.floor(watch.seconds())]?.push(latency);
  };
  const produce = async () => {
    const size = queue.enqueueBulk ? STEADY_BULK : 1;
    while (watch.seconds() < seconds) {
      if (produced - tally.distinct > outstanding - size && produced > tally.distinct) {
        await sleep(1);
        continue;
      }
      const t = clockMicros();
      const messages = Array.from({ length: size }, (_, i) =>
        makeMessage(produced + i, payload, { t }),
      );
      produced += size;
      await (queue.enqueueBulk ? queue.enqueueBulk(messages) : queue.enqueue(messages[0]));
    }
  };
  const stop = await queue.start(1, handler);
  await produce();
  const cpu_s = watch.cpuSeconds();
  await waitUntilDone(queue, () => tally.distinct >= produced);
  await stop();
  tally.check(produced);

  const figures = (values) => ({
    p50_ms: percentile(values, 0.5),
    p99_ms: percentile(values, 0.99),
  });
  const all = latencies.flat();
  const series = latencies.map((values, i) => ({
    second: i + 1,
    handled: values.length,
    ...figures(values),
  }));
  return { rate: all.length / seconds, series, ...figures(all), cpu_s };
}

async function wake(queue, { count, payload }) {
  const tally = new Tally();
  const begun = [];
  const handler = ({ n }) => {
    begun[n] ??= performance.now();
    tally.note(n);
  };
  const ms = [];
  const call_ms = [];
  const stop = await queue.start(1, handler);
  for (let n = 0; n < count; n++) {
    await sleep(100 + 100 * Math.random());
    const called = performance.now();
    await queue.enqueue(makeMessage(n, payload));
    const returned = performance.now();
    while (begun[n] === undefined) await sleep(1);
    ms.push(Math.max(0, begun[n] - returned));
    call_ms.push(begun[n] - called);
  }
  await waitUntilDone(queue, () => tally.distinct >= count);
  await stop();
  tally.check(count);
  return { ms, call_ms };
}

const NO_BULK = { unsupported: "the peer has no bulk call" };

const ROLES = {
  enqueue: (queue, options) => measureEnqueue(queue, options, enqueueByCallers),
  "enqueue-bulk": (queue, options) =>
    queue.enqueueBulk ? measureEnqueue(queue, options, enqueueByBulk) : NO_BULK,
  fill: async (queue, options) => {
    if (queue.enqueueBulk) await enqueueByBulk(queue, options);
    else await enqueueByCallers(queue, options);
    return {};
  },
  "fill-single": async (queue, options) => {
    await enqueueByCallers(queue, options);
    return {};
  },
  drain,
  retry,
  steady,
  wake,
};

function parseCommandLine() {
  const text = { type: "string" };
  const number = (value) => ({ type: "string", default: String(value) });
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      dsn: text,
      schema: text,
      path: text,
      count: number(1000),
      callers: number(1),
      workers: number(1),
      payload: number(100),
      seconds: number(3),
      outstanding: number(1000),
    },
  });
  const options = { ...values };
  for (const name of ["count", "callers", "workers", "payload", "seconds", "outstanding"]) {
    options[name] = Number(values[name]);
    if (!Number.isInteger(options[name]) || options[name] < 1) {
      throw new Error(`--${name} has to be a positive integer`);
    }
  }
  const [peer, role] = positionals;
  if (positionals.length !== 2 || !Object.hasOwn(PEERS, peer)) {
    throw new Error(`usage: side PEER ROLE [options]; peers: ${Object.keys(PEERS).join(", ")}`);
  }
  if (role.startsWith("fill")) options.callers = FILL_CALLERS;
  return { peer, role, options: { ...options, role } };
}

async function main() {
  const { peer, role, options } = parseCommandLine();
  const module = await import(PEERS[peer]);
  if (role === "describe") return { runtime: `node ${process.versions.node}`, ...module.describe() };
  if (!Object.hasOwn(ROLES, role)) throw new Error(`no such role: ${role}`);
  const queue = await module.open(options);
  const figures = await ROLES[role](queue, options);
  await queue.close();
  return figures;
}

try {
  const line = JSON.stringify(await main());
  // A peer may leave timers behind; the figures are complete, so nothing is waited for.
  process.stdout.write(`${line}\n`, () => process.exit(0));
} catch (error) {
  console.error(error);
  process.exit(1);
}
