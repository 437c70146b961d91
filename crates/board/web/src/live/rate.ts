/** How many events arrive. */

/** The most events in a second. Above it, the board reads summaries instead. */
const RATE_MAX = 50;

const WINDOW_MS = 1_000;

/** Counts the events of the last second. */
export class Rate {
  private times: number[] = [];

  /** Counts an event, and returns whether there are too many. */
  note(at: number): boolean {
    this.times.push(at);
    this.times = this.times.filter((time) => time > at - WINDOW_MS);
    return this.times.length > RATE_MAX;
  }

  clear(): void {
    this.times = [];
  }
}
