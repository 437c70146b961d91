/** Reads the log of a run, and follows it while it grows. */

import { signal } from "@preact/signals";

import { readLog } from "../../api/endpoints";
import { ApiError } from "../../api/http";
import type { LogPart } from "../../api/types";
import { LogLines } from "./log-lines";

/** So many bytes are read at once; the server keeps no more of a log. */
const PART_MAX = 1_048_576;
/** How long the server may wait for more, in seconds. */
const WAIT_S = 15;
/** How long the board waits where the server does not, in milliseconds. */
const POLL_MS = 3_000;
/** After an error it is tried again so much later, in milliseconds. */
const RETRY_MS = 5_000;

/** How the log stands. */
export type LogState = "reading" | "following" | "ended" | "failed";

/** The log of a run. */
export class LogReader {
  readonly lines = signal<readonly string[]>([]);
  readonly state = signal<LogState>("reading");
  readonly error = signal<string | undefined>(undefined);
  /** So many bytes of the beginning are not kept any more. */
  readonly missing = signal(0);
  private readonly log = new LogLines();
  private offset = 0;
  private readonly stopped = new AbortController();

  constructor(
    private readonly taskId: string,
    private readonly run: number,
    /** Whether the run goes on. */
    private isRunning: boolean,
  ) {}

  /** Says that the run has ended: the log is read to its end, and followed no more. */
  end(): void {
    this.isRunning = false;
  }

  /** Reads until the log ends, or `stop`. */
  async follow(): Promise<void> {
    const { signal: stopped } = this.stopped;
    let isFirst = true;
    while (!stopped.aborted) {
      const began = performance.now();
      const wasRunning = this.isRunning;
      const part = await this.read(isFirst || !wasRunning ? 0 : WAIT_S);
      if (stopped.aborted) return;
      if (part === undefined) {
        await pause(RETRY_MS, stopped);
        continue;
      }
      isFirst = false;
      this.take(part);
      const isEnd = part.text === "" && !wasRunning;
      this.state.value = part.is_complete || isEnd ? "ended" : "following";
      if (this.state.value === "ended") return;
      // A server that has answered at once, without anything new, does not wait.
      const isQuick = performance.now() - began < POLL_MS;
      if (part.text === "" && isQuick) await pause(POLL_MS, stopped);
    }
  }

  /** Stops reading. */
  stop(): void {
    this.stopped.abort();
  }

  private async read(wait: number): Promise<LogPart | undefined> {
    const at = { offset: this.offset, limit: PART_MAX, wait };
    try {
      const part = await readLog(this.taskId, this.run, at, this.stopped.signal);
      this.error.value = undefined;
      return part;
    } catch (error) {
      if (this.stopped.signal.aborted) return undefined;
      if (!(error instanceof ApiError)) throw error;
      this.error.value = error.message;
      this.state.value = "failed";
      return undefined;
    }
  }

  private take(part: LogPart): void {
    if (part.offset > this.offset) this.missing.value += part.offset - this.offset;
    this.offset = part.next_offset;
    if (part.text !== "") this.lines.value = this.log.add(part.text);
  }
}

function pause(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, ms);
    stopped.addEventListener("abort", () => {
      window.clearTimeout(timer);
      resolve();
    });
  });
}
