/**
 * Reads the journal of the scope: on a stream, or page by page where the server has no streams.
 * One source serves all tabs of a browser, see `share.ts`.
 */

import { createParser } from "eventsource-parser";

import { ApiError, identity, queryText, request } from "../api/http";
import { forgetKey, scope } from "../state/session";
import { pause } from "../state/waits";
import type { LiveStatus, PassingEvent, StoredEvent } from "./events";
import { Rate } from "./rate";

/** The functions that a source calls. */
export interface SourceOutput {
  status(status: LiveStatus): void;
  event(event: StoredEvent): void;
  passing(event: PassingEvent): void;
  gap(): void;
  tick(): void;
}

const EVENTS = "/api/v1/events";
/** How long to wait before another try, in milliseconds: doubled after each failure. */
const RETRY_MS = 500;
const RETRY_MAX_MS = 15_000;
/** How often the journal is asked for where there are no streams, in milliseconds. */
export const POLL_MS = 4_000;
/** How often summaries are read under load. */
const TICK_MS = 2_000;
/** How many summaries are read before a stream is tried again. */
const TICKS = 10;
/** The longest silence of a working stream: the server sends a comment every 15 s. */
const SILENCE_MAX_MS = 40_000;

interface Page {
  events: StoredEvent[];
  next_cursor: string;
}

/** Follows the journal until it is stopped. */
export class Source {
  private readonly stopped = new AbortController();
  private readonly rate = new Rate();
  private failures = 0;
  private hasStreams = true;

  /** `cursor` is the last event that is known; without one, reading starts at the end. */
  constructor(
    private readonly output: SourceOutput,
    private cursor: string | undefined,
  ) {}

  /** Runs until `stop`. Where there are no streams, it ends as well when the page is hidden. */
  async run(): Promise<void> {
    while (!this.stopped.signal.aborted) {
      try {
        await (this.hasStreams ? this.stream() : this.poll());
        if (this.mayRest()) return;
        await this.again();
      } catch (error) {
        await this.onFailure(error);
      }
    }
  }

  /** Ends the connection. */
  stop(): void {
    this.stopped.abort();
  }

  /** Whether polling may end: this page is hidden, and a visible one polls. */
  private mayRest(): boolean {
    return !this.hasStreams && document.hidden;
  }

  private async onFailure(error: unknown): Promise<void> {
    if (this.stopped.signal.aborted) return;
    if (error instanceof TooMany) return this.summarize();
    const status = error instanceof ApiError ? error.status : 0;
    if (status === 401) {
      forgetKey();
      this.stop();
    } else if (status === 406) this.hasStreams = false;
    // The events after the last one that is known are no longer kept.
    else if (status === 410) this.cursor = undefined;
    else await this.again();
  }

  private async again(): Promise<void> {
    if (this.stopped.signal.aborted) return;
    this.output.status("reconnecting");
    const pause = Math.min(RETRY_MS * 2 ** this.failures, RETRY_MAX_MS);
    this.failures += 1;
    await this.wait(pause * (0.75 + Math.random() / 2));
  }

  private async stream(): Promise<void> {
    const silence = new AbortController();
    const response = await fetch(EVENTS + queryText({ scope: scope.value }), {
      headers: {
        Accept: "text/event-stream",
        ...identity(),
        ...(this.cursor === undefined ? {} : { "Last-Event-ID": this.cursor }),
      },
      signal: AbortSignal.any([this.stopped.signal, silence.signal]),
      credentials: "omit",
      cache: "no-store",
    });
    if (!response.ok || !response.body) throw await refusal(response);
    this.output.status("live");
    if (this.cursor === undefined) this.output.gap();
    this.failures = 0;
    const parser = createParser({ onEvent: (message) => this.onMessage(message) });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let timer = 0;
    try {
      for (;;) {
        timer = window.setTimeout(() => silence.abort(), SILENCE_MAX_MS);
        const { done, value } = await reader.read();
        window.clearTimeout(timer);
        if (done) return;
        parser.feed(value);
      }
    } finally {
      window.clearTimeout(timer);
      reader.cancel().catch(() => undefined);
    }
  }

  private onMessage(message: { id?: string | undefined; data: string }): void {
    const event = JSON.parse(message.data) as StoredEvent | PassingEvent;
    if (!("id" in event)) {
      this.output.passing(event);
      return;
    }
    this.cursor = message.id ?? event.id;
    this.output.event(event);
    if (this.rate.note(Date.now())) throw new TooMany();
  }

  /** Reads the journal page by page. */
  private async poll(): Promise<void> {
    this.output.status("polling");
    if (this.cursor === undefined) {
      this.cursor = (await this.page(undefined)).next_cursor;
      this.output.gap();
    }
    for (;;) {
      await this.wait(POLL_MS);
      if (this.stopped.signal.aborted || this.mayRest()) return;
      const page = await this.page(this.cursor);
      this.output.status("polling");
      this.failures = 0;
      this.cursor = page.next_cursor;
      for (const event of page.events) this.output.event(event);
    }
  }

  private page(cursor: string | undefined): Promise<Page> {
    const query = cursor === undefined ? { limit: 1 } : { cursor, limit: 500 };
    return request<Page>("GET", EVENTS, { query, signal: this.stopped.signal });
  }

  private wait(ms: number): Promise<void> {
    return pause(ms, this.stopped.signal);
  }

  /** Has summaries read for a while. The events of that time are a gap. */
  private async summarize(): Promise<void> {
    this.output.status("busy");
    this.rate.clear();
    for (let tick = 0; tick < TICKS && !this.stopped.signal.aborted; tick += 1) {
      await this.wait(TICK_MS * (0.8 + Math.random() * 0.4));
      this.output.tick();
    }
    this.cursor = undefined;
  }
}

/** Thrown when more events arrive than the board shows one by one. */
class TooMany extends Error {}

async function refusal(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as { error?: string; code?: string };
  const text = problem.error ?? `The server answered ${response.status}`;
  return new ApiError(response.status, problem.code ?? "unknown", text);
}
