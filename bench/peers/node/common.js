// What the sides of all peers share: messages, the tally of what was handled, figures, and waits
// that end.

import { readFileSync } from "node:fs";

const STALL_LIMIT_MS = 120_000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function packageVersion(name) {
  const path = new URL(`./node_modules/${name}/package.json`, import.meta.url);
  return `${name} ${JSON.parse(readFileSync(path, "utf8")).version}`;
}

/** Microseconds of the system clock. */
export const clockMicros = () =>
  Math.floor((performance.timeOrigin + performance.now()) * 1000);

/** A message whose JSON text has `bytes` bytes, or the fewest that its members need. */
export function makeMessage(n, bytes, members = {}) {
  const message = { n, ...members, pad: "" };
  message.pad = "x".repeat(Math.max(0, bytes - JSON.stringify(message).length));
  return message;
}

export function* makeBatches(count, size, bytes) {
  for (let first = 0; first < count; first += size) {
    const length = Math.min(size, count - first);
    yield Array.from({ length }, (_, i) => makeMessage(first + i, bytes));
  }
}

export function percentile(values, fraction) {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.ceil(fraction * sorted.length) - 1];
}

/** Measures wall time and the CPU time of this process from its construction. */
export class Stopwatch {
  #start = performance.now();
  #cpu = process.cpuUsage();

  seconds() {
    return (performance.now() - this.#start) / 1000;
  }

  cpuSeconds() {
    const { user, system } = process.cpuUsage(this.#cpu);
    return (user + system) / 1e6;
  }
}

/** Ends the process when nothing has moved for a long time, whatever it waits for. */
class StallGuard {
  #last = performance.now();

  constructor() {
    setInterval(() => {
      if (performance.now() - this.#last < STALL_LIMIT_MS) return;
      console.error(`no progress for ${STALL_LIMIT_MS / 1000} s`);
      process.exit(1);
    }, 1000).unref();
  }

  progress() {
    this.#last = performance.now();
  }
}

export const stallGuard = new StallGuard();

/** Counts how often each number was handled. */
export class Tally {
  #times = new Map();
  distinct = 0;
  total = 0;

  /** Returns how often the number has been handled with this time. */
  note(n) {
    const times = (this.#times.get(n) ?? 0) + 1;
    this.#times.set(n, times);
    if (times === 1) this.distinct++;
    this.total++;
    stallGuard.progress();
    return times;
  }

  times(n) {
    return this.#times.get(n) ?? 0;
  }

  /** Throws unless each of 0…count-1 was handled as often as expected; returns the surplus. */
  check(count, expected = () => 1) {
    let wanted = 0;
    for (let n = 0; n < count; n++) {
      wanted += expected(n);
      if (this.times(n) < expected(n)) {
        throw new Error(`message ${n} was handled ${this.times(n)} times, not ${expected(n)}`);
      }
    }
    if (this.distinct !== count) {
      throw new Error(`${this.distinct} different messages were handled, not ${count}`);
    }
    return this.total - wanted;
  }
}
