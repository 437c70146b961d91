/** Programs that tests start, and that end with them. */

import { spawn, type ChildProcess } from "node:child_process";

/**
 * Runs a program until it ends or the script's input is closed, which happens also when the test is
 * killed; then ends the whole group. So a server never outlives its test.
 */
const WATCHED = '("$@"; kill -TERM 0) & read -r _; kill -TERM 0';

/** How much of a program's output an error shows, in characters. */
const SHOWN_MAX = 4_000;

/** A program that was started. */
export class Program {
  /** What it has printed so far, on both of its outputs. */
  output = "";
  /** Resolves when the program has ended and its outputs are closed. */
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private readonly listeners = new Set<() => void>();

  /** Starts a program. `environment` is all that it is given. */
  constructor(command: string, args: readonly string[], environment: NodeJS.ProcessEnv) {
    this.child = spawn("sh", ["-c", WATCHED, "sh", command, ...args], {
      detached: true,
      env: environment,
      stdio: ["pipe", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        for (const listener of this.listeners) listener();
      });
    }
    this.ended = new Promise((resolve) => this.child.once("close", () => resolve()));
  }

  /** Waits until the output matches, and returns the match. `limitMs` is how long at most. */
  prints(pattern: RegExp, limitMs: number): Promise<RegExpExecArray> {
    let look = () => {};
    let timer: NodeJS.Timeout | undefined;
    const seen = new Promise<RegExpExecArray>((resolve, reject) => {
      const give = (why: string) => reject(new Error(`${why}:\n${this.output.slice(-SHOWN_MAX)}`));
      look = () => {
        const match = pattern.exec(this.output);
        if (match) resolve(match);
      };
      timer = setTimeout(() => give(`no ${pattern} within ${limitMs} ms`), limitMs);
      void this.ended.then(() => give("the program has ended"));
    });
    this.listeners.add(look);
    look();
    return seen.finally(() => {
      clearTimeout(timer);
      this.listeners.delete(look);
    });
  }

  /** Ends the program as SIGTERM does, and waits for its end. */
  async stop(): Promise<void> {
    this.child.stdin?.end();
    await this.ended;
  }
}
