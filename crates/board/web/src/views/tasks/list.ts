/**
 * The rows of the table. Pages are read by cursor while the user scrolls, and updated in place.
 * Rows are neither moved nor removed under the pointer: new tasks are counted, and shown on
 * request.
 */

import { signal } from "@preact/signals";

import { listTasks } from "../../api/endpoints";
import { ApiError, type Query } from "../../api/http";
import type { ListedTask, TaskList } from "../../api/types";
import type { StoredEvent } from "../../live/events";
import { liveTried } from "../../live/live";
import { visible } from "../../state/waits";
import { belongs, queryOf, type Filter } from "./filter";

/** The largest page. */
const PAGE = 500;
/** The largest page that says why tasks wait and what their runs did. */
const DETAILED = 100;
/** The server counts rows up to here. */
const OFFSET_MAX = 10_000;
/** How many rows below those in sight are loaded. */
const AHEAD = 40;
/** How many rows above those in sight are read again with them. */
const MARGIN = 10;
/** How many pages without a match are read before the user is asked: each examines 10,000 tasks. */
const EMPTY_MAX = 3;
/** The list is not read again sooner than this, in milliseconds. */
const INTERVAL_MS = 1_000;
/** How long details are waited for while rows go by, in milliseconds. */
const SETTLE_MS = 80;
/** Under load, how many ticks pass between two reads of the list. */
const TICKS = 5;

const INCLUDE = "waiting,run";

/** The rows that are seen: their places, the last excluded. */
export interface Seen {
  first: number;
  last: number;
}

/** A list of tasks. */
export class Rows {
  /** The rows that are loaded. */
  readonly rows = signal<readonly ListedTask[]>([]);
  /** How many tasks match now; undefined until it is known. */
  readonly total = signal<number | undefined>(undefined);
  /** Whether more than `total` may match: the server did not look at all finished tasks. */
  readonly isPartial = signal(false);
  /** How many tasks match that are not shown yet. */
  readonly news = signal(0);
  /** Whether all pages are loaded. */
  readonly isWhole = signal(false);
  /** Whether reading further waits for the user. */
  readonly isWeary = signal(false);
  readonly error = signal<ApiError | undefined>(undefined);
  /** Where the view was scrolled to when it was left. */
  scrollTop = 0;
  /** Whether rows may move, because nothing points at them. */
  isCalm: () => boolean = () => false;

  private seen: Seen = { first: 0, last: 0 };
  private readonly places = new Map<string, number>();
  private readonly unshown = new Set<string>();
  private readonly undetailed = new Set<string>();
  private next: string | null = null;
  private empty = 0;
  private reading: AbortController | undefined;
  private isPaging = false;
  private isStarting = false;
  private syncTimer = 0;
  private detailTimer = 0;
  /** Ends the wait of a page that is not seen. */
  private hidden: AbortController | undefined;
  private syncedAt = 0;
  private ticks = 0;

  constructor(readonly filter: Filter) {}

  /** Reads the list from its beginning. What is shown stays until the answer is there. */
  async reload(): Promise<void> {
    this.reading?.abort();
    const reading = new AbortController();
    this.reading = reading;
    this.syncedAt = performance.now();
    this.isStarting = true;
    await liveTried();
    this.isStarting = false;
    const page = await this.read({ limit: DETAILED, include: INCLUDE }, reading);
    if (!page) return;
    this.places.clear();
    this.unshown.clear();
    this.undetailed.clear();
    this.news.value = 0;
    this.empty = 0;
    this.rows.value = [];
    this.count(page);
    this.append(page);
    await this.fill();
  }

  /** Notes which rows are seen, and reads what is missing of them. */
  see(seen: Seen): void {
    this.seen = seen;
    void this.fill();
    this.detailSoon();
  }

  /** Looks further after having given up. */
  lookFurther(): void {
    this.empty = 0;
    this.isWeary.value = false;
    void this.fill();
  }

  /** Reads the list, or what has changed since it was left. */
  enter(): void {
    if (this.total.value === undefined) void this.reload();
    else this.syncSoon();
  }

  /** Stops following the list. */
  leave(): void {
    window.clearTimeout(this.syncTimer);
    window.clearTimeout(this.detailTimer);
    this.syncTimer = 0;
    this.detailTimer = 0;
    this.hidden?.abort();
  }

  onEvent(event: StoredEvent): void {
    const { kind, id } = event.subject;
    if (kind === "task") {
      if (this.places.has(id)) this.change(id, event);
      else if (!this.mayGain(event)) return;
    } else if (!["pause", "action", "flow"].includes(kind)) return;
    this.syncSoon();
  }

  onTick(): void {
    this.ticks += 1;
    if (this.ticks % TICKS === 0) this.syncSoon();
  }

  onGap(): void {
    // The read that is about to start misses nothing.
    if (!this.isStarting) this.syncSoon();
  }

  /** The row of a task, if it is loaded. */
  get(id: string): ListedTask | undefined {
    return this.rows.value[this.places.get(id) ?? -1];
  }

  /** Whether an event about a task that is not loaded can add it to the list. */
  private mayGain(event: StoredEvent): boolean {
    const { queue } = this.filter;
    return queue.length === 0 || !event.queue || queue.includes(event.queue);
  }

  /** Applies an event to its row. The rest of the row is read soon. */
  private change(id: string, event: StoredEvent): void {
    const before = this.get(id);
    if (!before || (event.version ?? 0) <= before.version) return;
    const queue = event.type === "task.deleted" ? "deleted" : (event.queue ?? before.queue);
    const changed = { ...before, queue, version: event.version ?? before.version };
    if (event.type === "task.claimed") changed.claimed_by = event.actor ?? null;
    this.put([changed]);
  }

  private put(tasks: readonly ListedTask[]): void {
    const rows = [...this.rows.value];
    for (const task of tasks) {
      const place = this.places.get(task.id);
      const before = place === undefined ? undefined : rows[place];
      if (place === undefined || !before || before.version > task.version) continue;
      rows[place] = { ...before, ...task };
    }
    this.rows.value = rows;
  }

  private append(page: TaskList): void {
    const rows = [...this.rows.value];
    for (const task of page.tasks) {
      if (this.places.has(task.id)) continue;
      this.places.set(task.id, rows.length);
      this.unshown.delete(task.id);
      rows.push(task);
    }
    this.rows.value = rows;
    this.news.value = this.unshown.size;
    this.next = page.next_cursor ?? null;
    this.isWhole.value = this.next === null;
    this.empty = page.tasks.length > 0 ? 0 : this.empty + 1;
    this.isWeary.value = !this.isWhole.value && this.empty >= EMPTY_MAX;
  }

  private count(page: TaskList): void {
    this.total.value = page.total ?? undefined;
    this.isPartial.value = Boolean(page.total_is_partial);
  }

  /** Reads pages until there are enough rows for what is seen. */
  private async fill(): Promise<void> {
    if (this.isPaging) return;
    this.isPaging = true;
    try {
      while (this.next !== null && !this.isWeary.value && this.isShort()) {
        const { reading, next } = this;
        const page = await this.read({ limit: PAGE, cursor: next }, reading);
        // The list was begun again meanwhile: its next page is another one.
        if (this.reading !== reading || this.next !== next) continue;
        if (!page) return;
        this.append(page);
      }
    } finally {
      this.isPaging = false;
    }
    this.detailSoon();
  }

  private isShort(): boolean {
    return this.rows.value.length < this.seen.last + AHEAD;
  }

  /** Reads a page; undefined if that failed, or if the list was begun again meanwhile. */
  private async read(
    query: Query,
    reading: AbortController | undefined,
  ): Promise<TaskList | undefined> {
    try {
      const page = await listTasks({ ...queryOf(this.filter), ...query }, reading?.signal);
      if (reading?.signal.aborted) return undefined;
      this.error.value = undefined;
      return page;
    } catch (error) {
      if (reading?.signal.aborted) return undefined;
      if (!(error instanceof ApiError)) throw error;
      this.error.value = error;
      return undefined;
    }
  }

  private detailSoon(): void {
    window.clearTimeout(this.detailTimer);
    this.detailTimer = window.setTimeout(() => void this.detail(), SETTLE_MS);
  }

  /** Reads why the rows that are seen wait, and what their runs did, where it is not known. */
  private async detail(): Promise<void> {
    const first = this.rows.value.findIndex(
      (task, place) => place >= this.seen.first && this.lacks(task),
    );
    if (first < 0 || first >= this.seen.last || first > OFFSET_MAX) return;
    for (const task of this.rows.value.slice(first, first + DETAILED)) this.undetailed.add(task.id);
    await this.readAround(first);
    this.detailSoon();
  }

  private lacks(task: ListedTask): boolean {
    return task.waiting === undefined && !this.undetailed.has(task.id);
  }

  /** Reads a hundred rows from a place on, and returns the page. */
  private async readAround(offset: number): Promise<TaskList | undefined> {
    const { reading } = this;
    const query = { limit: DETAILED, include: INCLUDE, offset: Math.min(offset, OFFSET_MAX) };
    const page = await this.read(query, reading);
    if (!page) return undefined;
    this.put(page.tasks);
    this.count(page);
    return page;
  }

  private syncSoon(): void {
    if (this.syncTimer !== 0) return;
    const wait = Math.max(40, this.syncedAt + INTERVAL_MS - performance.now());
    this.syncTimer = window.setTimeout(() => void this.sync(), wait);
  }

  /** Reads again what is seen, and looks at the beginning for what is new. */
  private async sync(): Promise<void> {
    this.syncTimer = 0;
    this.syncedAt = performance.now();
    if (document.hidden) return this.syncWhenSeen();
    const top = await this.readAround(0);
    if (!top) return;
    this.note(top, true);
    const { first, last } = this.seen;
    if (last > DETAILED && first <= OFFSET_MAX) {
      const around = await this.readAround(Math.max(0, first - MARGIN));
      if (around) this.note(around, false);
    }
    const isEmpty = this.rows.value.length === 0;
    if (isEmpty ? this.news.value > 0 : this.isOld() && this.isCalm()) await this.reload();
    // A page that could not be read is tried again, now that the server answers.
    else await this.fill();
  }

  /** Whether rows are missing, or some no longer match the filter. */
  private isOld(): boolean {
    return this.news.value > 0 || this.rows.value.some((task) => !belongs(task, this.filter));
  }

  private async syncWhenSeen(): Promise<void> {
    if (this.hidden) return;
    const hidden = new AbortController();
    this.hidden = hidden;
    await visible(hidden.signal);
    this.hidden = undefined;
    if (!hidden.signal.aborted) this.syncSoon();
  }

  /** Notes tasks that are not shown, unless they may be on a page that is not read yet. */
  private note({ tasks }: TaskList, isTop: boolean): void {
    const last = tasks.findLastIndex(({ id }) => this.places.has(id));
    const isAllNew = isTop && last < 0;
    const known = this.isWhole.value || isAllNew ? tasks : tasks.slice(0, last + 1);
    for (const { id } of known) if (!this.places.has(id)) this.unshown.add(id);
    this.news.value = this.unshown.size;
  }
}
