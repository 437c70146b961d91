// What the clients of all peers have in common: agents that take tasks through their lives, and what they tell
// `octopoid-load peers`, one JSON object a line on standard output.
//
//   {"configuration": "…"}   before the first task, what is measured
//   {"phase": "measured"}    the warm-up is over, what follows counts
//   {"phase": "over"}        the time is up
//   {"tasks": 1, "seconds": 1, "p50_ms": 1, "p99_ms": 1}   the result
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(import.meta.url);

/** What the caller asks for: `node CLIENT ADDRESS AGENTS WARM_UP_MS MEASURED_MS`. */
export function asked() {
  const [address, agents, warmUp, measured] = process.argv.slice(2);
  return { address, agents: Number(agents), warmUpMs: Number(warmUp), measuredMs: Number(measured) };
}

/** The name and version of an installed package, as in `bullmq 6.7.0`. */
export function versionOf(name) {
  for (const folder of require.resolve.paths(name)) {
    try {
      const { version } = JSON.parse(readFileSync(`${folder}/${name}/package.json`));
      return `${name} ${version}`;
    } catch {
      continue;
    }
  }
  throw new Error(`${name} is not installed`);
}

/** Tells the caller what is measured. */
export function describe(configuration) {
  say({ configuration: `${configuration}; Node ${process.versions.node}` });
}

/**
 * Runs `agents` loops, each of which calls `add` to add a task and `complete`, which returns when a task has been
 * completed, and reports how many were completed in the time that counts, and how long each took. Each loop adds one more
 * task at first, so that a task waits when a worker is free.
 */
export async function measure({ agents, warmUpMs, measuredMs }, add, complete) {
  let phase = 'warm-up';
  const lives = [];
  const loop = async () => {
    await add();
    while (phase !== 'over') {
      const started = performance.now();
      await add();
      await complete();
      if (phase === 'measured') lives.push(performance.now() - started);
    }
  };
  const loops = Array.from({ length: agents }, loop);
  // A life that fails before the end must end the program.
  const failure = Promise.all(loops).then(() => new Promise(() => {}));
  await Promise.race([failure, pause(warmUpMs)]);
  phase = 'measured';
  const started = performance.now();
  say({ phase });
  await Promise.race([failure, pause(measuredMs)]);
  phase = 'over';
  const seconds = (performance.now() - started) / 1000;
  say({ phase });
  lives.sort((a, b) => a - b);
  const quantile = (share) => lives[Math.round((lives.length - 1) * share)] ?? 0;
  say({ tasks: lives.length, seconds, p50_ms: quantile(0.5), p99_ms: quantile(0.99) });
}

/** Counts what is completed, for loops that wait until a task is. */
export class Completions {
  #unclaimed = 0;
  #waiting = [];

  /** A task has been completed. */
  add() {
    const wake = this.#waiting.shift();
    if (wake) wake();
    else this.#unclaimed += 1;
  }

  /** Returns when a task has been completed that no other loop has taken for its own. */
  async next() {
    if (this.#unclaimed > 0) this.#unclaimed -= 1;
    else await new Promise((wake) => this.#waiting.push(wake));
  }
}

/** The task, as long as those of the other clients. */
export function newTask() {
  number += 1;
  return { title: `Task ${number}`, content: `Do the work that task ${number} describes.` };
}

let number = 0;

/** Ends the program, although libraries keep timers and connections. The caller removes the database. */
export function end() {
  process.exit(0);
}

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function pause(ms) {
  return new Promise((wake) => setTimeout(wake, ms));
}
