/**
 * The journal as the view Activity reads it: backwards from its end, as far as the user looks, and
 * forwards from there, as events arrive.
 */

import { signal } from "@preact/signals";

import { listEvents } from "../../api/endpoints";
import { ApiError } from "../../api/http";
import type { EventPage } from "../../api/types";
import type { StoredEvent } from "../../live/events";
import { listen } from "../../live/live";

/** How many events are read at a time. */
export const PAGE = 500;
/** The most pages that are read in a row: those of a scope may lie among many of others. */
export const PAGES_MAX = 20;
/** The most events that are kept. The oldest are dropped. */
export const KEPT_MAX = 10_000;

/** The latest events, those before them, and those that arrive. */
export class LatestEvents {
  /** The events, oldest first. */
  readonly events = signal<readonly StoredEvent[]>([]);
  /** Whether the latest events are known: then the rest arrives. */
  readonly isRead = signal(false);
  /** Whether the events reach back to the oldest one that the server keeps. */
  readonly isWhole = signal(false);
  readonly error = signal<ApiError | undefined>(undefined);
  /** The cursor before the first event that is kept. */
  start = "";
  /** The cursor behind the last known event; undefined until the end of the journal is known. */
  private cursor: string | undefined;
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private isAgain = false;

  /** Reads, and follows, until the returned function is called. */
  follow(): () => void {
    const leave = listen({
      onEvent: (event) => this.onEvent(event),
      onGap: () => this.read(),
      onTick: () => this.read(),
    });
    this.read();
    return () => {
      leave();
      this.stopped.abort();
    };
  }

  /** Reads the latest events, or from the last known one to the end of the journal. */
  read(): void {
    if (this.running) this.isAgain = true;
    else this.run(() => this.readLatest());
  }

  /** Reads some events that precede those that are known. */
  readOlder(): void {
    if (!this.running && this.isRead.value) this.run(() => this.goBack());
  }

  private run(work: () => Promise<void>): void {
    this.running = this.attempt(work).finally(() => {
      this.running = undefined;
      if (!this.isAgain || this.stopped.signal.aborted) return;
      this.isAgain = false;
      this.read();
    });
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.error.value = undefined;
    } catch (error) {
      if (this.stopped.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.error.value = error;
    }
  }

  private onEvent(event: StoredEvent): void {
    // While pages are read, an event that arrives is on one of them, or is read after them.
    if (this.running) this.isAgain = true;
    else if (!this.isRead.value) this.read();
    else if (!this.events.value.some((known) => known.id === event.id)) this.add([event], event.id);
  }

  private async readLatest(): Promise<void> {
    if (this.cursor !== undefined && this.isRead.value && (await this.goOn(this.cursor))) return;
    const { next_cursor } = await this.page({ limit: 1 });
    this.cursor = next_cursor;
    this.start = next_cursor;
    this.events.value = [];
    this.isWhole.value = false;
    await this.goBack();
    this.isRead.value = true;
  }

  /** Reads up to the end of the journal. `false` if that is too far, or if events are missing. */
  private async goOn(from: string): Promise<boolean> {
    let cursor = from;
    try {
      for (let pages = 0; pages < PAGES_MAX; pages += 1) {
        const { events, next_cursor } = await this.page({ cursor, limit: PAGE });
        this.add(events, next_cursor);
        if (next_cursor === cursor) return true;
        cursor = next_cursor;
      }
    } catch (error) {
      // The events that follow are no longer kept.
      if (!(error instanceof ApiError) || error.status !== 410) throw error;
    }
    return false;
  }

  /** Reads a page backwards. Pages without an event are passed over. */
  private async goBack(): Promise<void> {
    let count = 0;
    for (let pages = 0; pages < PAGES_MAX && count < PAGE; pages += 1) {
      const { events, next_cursor } = await this.page({ before: this.start, limit: PAGE });
      this.isWhole.value = next_cursor === this.start;
      if (this.isWhole.value) return;
      this.start = next_cursor;
      count += events.length;
      this.events.value = [...events.reverse(), ...this.events.value];
    }
  }

  private page(query: { cursor?: string; before?: string; limit: number }): Promise<EventPage> {
    return listEvents(query, this.stopped.signal);
  }

  private add(events: readonly StoredEvent[], cursor: string): void {
    this.cursor = cursor;
    if (events.length === 0) return;
    const all = [...this.events.value, ...events];
    const surplus = all[all.length - KEPT_MAX - 1];
    if (surplus) {
      this.start = surplus.id;
      this.isWhole.value = false;
    }
    this.events.value = all.slice(-KEPT_MAX);
  }
}

/** How many events before a named one are read with it. */
const BEFORE = 10;

/**
 * Returns, for the id of one of the events, the cursor from which it is read with those before it.
 * `start` is the cursor before the first of the events.
 */
export function cursorsOf(events: readonly StoredEvent[], start: string): (id: string) => string {
  const places = new Map(events.map((event, place) => [event.id, place]));
  return (id) => events[(places.get(id) ?? 0) - BEFORE - 1]?.id ?? start;
}

/** Events that follow a cursor. */
interface Stretch {
  events: readonly StoredEvent[];
  /** The cursor after them. */
  cursor: string;
  /** Whether the journal ends here. */
  isEnd: boolean;
}

/** Reads at most `limit` events after a cursor. Pages without an event are passed over. */
export async function eventsAfter(cursor: string, limit: number): Promise<Stretch> {
  let from = cursor;
  for (let pages = 1; ; pages += 1) {
    const { events, next_cursor } = await listEvents({ cursor: from, limit });
    const isEnd = next_cursor === from;
    from = next_cursor;
    if (events.length > 0 || isEnd || pages === PAGES_MAX) return { events, cursor: from, isEnd };
  }
}

/** What is shown of the journal. */
export interface Shown {
  /** The kinds of subjects; all if there are none. */
  kinds: readonly string[];
  /** The actor; all if it is empty. */
  actor: string;
}

/** The events that are shown. */
export function filtered(events: readonly StoredEvent[], shown: Shown): StoredEvent[] {
  const { kinds, actor } = shown;
  return events.filter(
    (event) =>
      (kinds.length === 0 || kinds.includes(event.subject.kind)) &&
      (actor === "" || event.actor === actor),
  );
}

/** The events that have arrived since others were held. */
export function arrivedSince(
  held: readonly StoredEvent[],
  all: readonly StoredEvent[],
): readonly StoredEvent[] {
  const last = held.at(-1);
  return last ? all.slice(all.findIndex((event) => event.id === last.id) + 1) : all;
}

/** Who has acted, by name. */
export function actorsOf(events: readonly StoredEvent[]): string[] {
  const names = events.map((event) => event.actor).filter((name) => typeof name === "string");
  return [...new Set(names)].sort();
}
