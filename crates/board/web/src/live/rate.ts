/** How many events arrive. */

/** Above so many events in a second, a board reads summaries instead. */
const RATE_MAX = 50;

const WINDOW_MS = 1_000;

/** Counts the events of the last second. */
export class Rate {
  private times: number[] = [];

  /** Notes an event, and returns whether there are too many. */
  note(at: number): boolean {
    this.times.push(at);
    this.times = this.times.filter((time) => time > at - WINDOW_MS);
    return this.times.length > RATE_MAX;
  }

  clear(): void {
    this.times = [];
  }
}
