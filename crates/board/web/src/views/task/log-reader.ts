/** Reads the log of a run, and follows it while it grows. */

import { signal } from "@preact/signals";

import { readLog } from "../../api/endpoints";
import { ApiError } from "../../api/http";
import type { LogPart } from "../../api/types";
import { pause, visible } from "../../state/waits";
import { LogLines } from "./log-lines";

/** The most bytes that are read at once. The server keeps at most as many of a log. */
const PART_MAX = 1_048_576;
/** How long the server may wait for more, in seconds. */
const WAIT_S = 15;
/** The pause between reads if the server answers at once, in milliseconds. */
const POLL_MS = 3_000;
/** The pause before another try after an error, in milliseconds. */
const RETRY_MS = 5_000;
/** How often a log is read after the end of its run: its last part may arrive late. */
const LATE_READS = 10;

/** The state of reading a log. */
export type LogState = "reading" | "following" | "ended" | "failed";

/** The log of a run. */
export class LogReader {
  readonly lines = signal<readonly string[]>([]);
  readonly state = signal<LogState>("reading");
  readonly error = signal<string | undefined>(undefined);
  /** How many bytes at the beginning the server has deleted. */
  readonly missing = signal(0);
  private readonly log = new LogLines();
  private offset = 0;
  private readonly stopped = new AbortController();
  /** Ends the wait for more. */
  private waiting: AbortController | undefined;

  constructor(
    private readonly taskId: string,
    private readonly run: number,
    /** Whether the run goes on. */
    private isRunning: boolean,
  ) {}

  /** Notes that the run has ended: the rest of its log is read without waiting. */
  end(): void {
    this.isRunning = false;
    this.waiting?.abort();
  }

  /** Stops reading. */
  stop(): void {
    this.stopped.abort();
  }

  /** Reads until the log ends, or `stop`. */
  async follow(): Promise<void> {
    const { signal: stopped } = this.stopped;
    let lateReads = 0;
    while (!stopped.aborted) {
      await visible(stopped);
      const began = performance.now();
      const wasRunning = this.isRunning;
      const wait = wasRunning && this.state.value === "following" ? WAIT_S : 0;
      const part = await this.read(wait);
      if (stopped.aborted) return;
      if (part === "interrupted") continue;
      if (part === undefined) {
        await pause(RETRY_MS, stopped);
        continue;
      }
      this.take(part);
      this.state.value = wasRunning && !part.is_complete ? "following" : "ended";
      if (part.is_complete) return;
      if (part.text !== "") continue;
      if (!wasRunning) lateReads += 1;
      if (lateReads >= LATE_READS) return;
      // A server that answers at once does not support waiting.
      const isQuick = performance.now() - began < POLL_MS;
      if (isQuick && (wait > 0 || !wasRunning)) await pause(POLL_MS, stopped);
    }
  }

  private async read(wait: number): Promise<LogPart | "interrupted" | undefined> {
    const at = { offset: this.offset, limit: PART_MAX, wait };
    const waiting = new AbortController();
    this.waiting = waiting;
    const limits = AbortSignal.any([this.stopped.signal, waiting.signal]);
    try {
      const part = await readLog(this.taskId, this.run, at, limits);
      this.error.value = undefined;
      return part;
    } catch (error) {
      if (limits.aborted) return "interrupted";
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
