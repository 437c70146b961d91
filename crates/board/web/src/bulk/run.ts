/** Sends many requests, eight at a time, and again those that the server refuses for the moment. */

import { ApiError } from "../api/http";
import { pause } from "../state/waits";

/** The most requests in progress. */
export const AT_ONCE = 8;

/** How often a request is sent that the server refuses for the moment. */
const TRIES_MAX = 6;
/** How long to wait where the server does not say it, in milliseconds: doubled with each try. */
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 15_000;

/** What was refused, and why. */
interface Refused<T> {
  item: T;
  text: string;
}

/** How far the requests are. */
export interface Progress<T> {
  changed: number;
  refused: readonly Refused<T>[];
  /** Why the rest is not sent; undefined if nothing, or the user, has stopped it. */
  halt?: string;
}

/** The pauses that all requests share, because a busy server refuses each of them. */
class Patience {
  private until = 0;

  constructor(private readonly signal: AbortSignal) {}

  /** Sends nothing more for a while. */
  ask(error: ApiError, tries: number): void {
    const own = Math.min(PAUSE_MS * 2 ** (tries - 1), PAUSE_MAX_MS);
    const ms = error.retryAfter === undefined ? own : error.retryAfter * 1_000;
    this.until = Math.max(this.until, performance.now() + ms);
  }

  /** Waits for the end of the pause, or for the signal. */
  wait(): Promise<void> {
    const rest = this.until - performance.now();
    return rest <= 0 ? Promise.resolve() : pause(rest, this.signal);
  }
}

/**
 * Sends a request for each item until all are answered or the signal stops it. Requests in progress
 * are then still waited for, so that their results are known. `onProgress` is called after each
 * answer.
 */
export async function runAll<T>(
  items: readonly T[],
  send: (item: T) => Promise<unknown>,
  signal: AbortSignal,
  onProgress: (progress: Progress<T>) => void,
): Promise<Progress<T>> {
  const patience = new Patience(signal);
  const rest = items.values();
  const refused: Refused<T>[] = [];
  let progress: Progress<T> = { changed: 0, refused };
  const tell = (change: Partial<Progress<T>>) => {
    progress = { ...progress, ...change };
    onProgress(progress);
  };
  const refuse = (item: T, error: ApiError) => {
    refused.push({ item, text: error.message });
    tell(isForAll(error) ? { halt: error.message } : {});
  };
  const isOver = () => signal.aborted || progress.halt !== undefined;
  const work = async () => {
    for (const item of rest) {
      const refusal = await patiently(() => send(item), patience, isOver);
      if (refusal === "stopped") return;
      if (refusal) refuse(item, refusal);
      else tell({ changed: progress.changed + 1 });
      if (isOver()) return;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return progress;
}

/** Sends a request, again as long as that may help. Returns why it was refused. */
async function patiently(
  send: () => Promise<unknown>,
  patience: Patience,
  isOver: () => boolean,
): Promise<ApiError | "stopped" | undefined> {
  for (let tries = 1; ; tries += 1) {
    await patience.wait();
    if (isOver()) return "stopped";
    try {
      await send();
      return undefined;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!isPassing(error) || tries === TRIES_MAX) return error;
      patience.ask(error, tries);
    }
  }
}

/** Reads something, again as long as that may help. */
export async function readPatiently<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
  let answer: T | undefined;
  const send = async () => {
    answer = await read();
  };
  const refusal = await patiently(send, new Patience(signal), () => signal.aborted);
  if (refusal === "stopped") throw signal.reason;
  if (refusal) throw refusal;
  return answer as T;
}

/** Whether the same request may be taken later. */
function isPassing(error: ApiError): boolean {
  return [0, 429, 502, 503, 504].includes(error.status);
}

/** Whether every other request will be refused as well: the key may not do this. */
function isForAll(error: ApiError): boolean {
  return error.status === 401 || error.status === 403;
}
