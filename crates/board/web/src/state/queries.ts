/**
 * The data that views have read. Queries are kept by name: a view that is shown again shows the
 * last answer at once, and reads it again if it may be old. An event that concerns a query makes it
 * read again.
 */

import { type Signal, effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { ApiError } from "../api/http";
import type { StoredEvent } from "../live/events";
import { liveStatus, liveTried, listen } from "../live/live";

/** How long events are collected before a query is read again, in milliseconds. */
const COLLECT_MS = 40;
/** A query is not read again sooner than this after its last answer. */
const INTERVAL_MS = 1_000;
/** The most queries that are kept, unless views show more. */
const KEPT_MAX = 60;
/** Under load, how many ticks pass between two reads of a query that is no summary. */
const TICKS_PER_READ = 5;

/** Which events change what a query returns. */
export type Concerns = (event: StoredEvent) => boolean;

/** What a query reads, and when it is read again. */
export interface QueryOptions<T> {
  /** The name: queries of the same name are one. */
  name: string;
  load: (signal: AbortSignal) => Promise<T>;
  concerns: Concerns;
  /** Whether it is read at each tick under load. Others are read less often then. */
  isSummary?: boolean;
}

/** A query, and what is known of its answer. */
export class ReadQuery<T> {
  readonly data: Signal<T | undefined> = signal(undefined);
  readonly error: Signal<ApiError | undefined> = signal(undefined);
  /** How many views show it. */
  users = 0;
  private isStale = true;
  private timer = 0;
  private readAt = 0;
  private ticks = 0;
  private running: AbortController | undefined;
  /** The read that was begun last. */
  private latest: Promise<void> | undefined;

  constructor(private options: QueryOptions<T>) {}

  /** Replaces the options: their functions may hold new parameters. */
  use(options: QueryOptions<T>): void {
    this.options = options;
  }

  /** Changes the data without reading it again. */
  patch(change: (data: T) => T): void {
    if (this.data.value !== undefined) this.data.value = change(this.data.value);
  }

  onEvent(event: StoredEvent): void {
    if (this.options.concerns(event)) this.invalidate();
  }

  onTick(): void {
    this.ticks += 1;
    if (this.options.isSummary || this.ticks % TICKS_PER_READ === 0) this.invalidate();
  }

  /** Reads it again soon, if a view shows it; else when one does. */
  invalidate(): void {
    this.isStale = true;
    if (this.users === 0 || document.hidden || this.timer !== 0) return;
    const wait = Math.max(COLLECT_MS, this.readAt + INTERVAL_MS - performance.now());
    this.timer = window.setTimeout(() => void this.read(), wait);
  }

  /** Reads it now if what is known may be old. */
  refresh(): void {
    if (this.isStale && this.users > 0 && this.timer === 0 && !this.running) void this.read();
  }

  /** What the query returns now, read again if what is known may be old. Throws if that fails. */
  async current(): Promise<T> {
    // An event that arrives meanwhile makes the answer old.
    while (this.isStale || this.data.value === undefined) {
      await this.read();
      if (this.error.value) throw this.error.value;
    }
    return this.data.value;
  }

  /** Reads it now. If a later read replaces this one, this one ends with it. */
  async read(): Promise<void> {
    let waited: Promise<void> | undefined;
    this.latest = this.readOnce();
    while (waited !== this.latest) {
      waited = this.latest;
      await waited;
    }
  }

  private async readOnce(): Promise<void> {
    window.clearTimeout(this.timer);
    this.timer = 0;
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.readAt = performance.now();
    await liveTried();
    // An answer from now on includes every event that has arrived until now.
    window.clearTimeout(this.timer);
    this.timer = 0;
    this.isStale = false;
    try {
      const data = await this.options.load(running.signal);
      if (this.running !== running) return;
      this.data.value = data;
      this.error.value = undefined;
    } catch (error) {
      if (this.running !== running) return;
      this.isStale = true;
      this.error.value = error instanceof ApiError ? error : undefined;
      if (!(error instanceof ApiError)) throw error;
    } finally {
      if (this.running === running) this.running = undefined;
    }
  }
}

const queries = new Map<string, ReadQuery<any>>();

/** The query of this name, without reading it. */
export function queryNamed<T>(options: QueryOptions<T>): ReadQuery<T> {
  const known = queries.get(options.name);
  if (known) {
    // The least recently used query is forgotten first.
    queries.delete(options.name);
    queries.set(options.name, known);
    known.use(options);
    return known as ReadQuery<T>;
  }
  const query = new ReadQuery<T>(options);
  queries.set(options.name, query);
  forgetOldest();
  return query;
}

function forgetOldest(): void {
  if (queries.size <= KEPT_MAX) return;
  for (const [name, query] of queries) {
    if (query.users > 0) continue;
    queries.delete(name);
    if (queries.size <= KEPT_MAX) return;
  }
}

/** Shows a query in a view: it is read now if needed, and again whenever an event concerns it. */
export function useQuery<T>(options: QueryOptions<T>): ReadQuery<T> {
  const query = queryNamed(options);
  useEffect(() => {
    query.users += 1;
    query.refresh();
    return () => {
      query.users -= 1;
    };
  }, [query]);
  return query;
}

/** Forgets all queries, because another scope or another key is used. */
export function forgetQueries(): void {
  queries.clear();
}

/** Reads everything again that a view shows. */
export function invalidateAll(): void {
  for (const query of queries.values()) query.invalidate();
}

/** Follows the server's events. */
export function startQueries(): void {
  listen({
    onEvent: (event) => queries.forEach((query) => query.onEvent(event)),
    onTick: () => queries.forEach((query) => query.onTick()),
    onGap: invalidateAll,
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) queries.forEach((query) => query.refresh());
  });
  // A query that failed while the connection was lost is read again.
  effect(() => {
    if (liveStatus.value === "live") queries.forEach((query) => query.refresh());
  });
}

/** Concerns every change of objects of these kinds: `task`, `orchestrator`, `message` and so on. */
export function kinds(...names: string[]): Concerns {
  return (event) => names.includes(event.subject.kind);
}

/** Concerns every change of a task, and every change of actions and pauses. */
export function ofTask(id: string): Concerns {
  const more = ["action", "pause"];
  return (event) => event.subject.id === id || more.includes(event.subject.kind);
}
