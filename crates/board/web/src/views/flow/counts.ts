/** How many tasks are in each state, and how long they wait there. */

import type { Summary } from "../../api/types";

/** What is known of a state. */
export interface StateCount {
  state: string;
  tasks: number;
  /** Since when the oldest task in it waits; undefined if it is not known. */
  since: string | undefined;
  /** Whether the oldest task of all waits in this state. */
  isWorst: boolean;
}

/** The states in which tasks are worked on or finished, and so do not wait. */
const NO_WAIT = ["claimed", "done", "failed", "cancelled"];

/** The counts of the states of a flow. They are those of all tasks of the scope. */
export function countsOf(states: readonly string[], summary: Summary | undefined): StateCount[] {
  const oldest: Record<string, string> = summary?.oldest ?? {};
  const waits = states.filter((state) => !NO_WAIT.includes(state) && oldest[state]);
  const ages = waits.map((state) => Date.parse(oldest[state] ?? ""));
  const worst = waits[ages.indexOf(Math.min(...ages))];
  return states.map((state) => ({
    state,
    tasks: summary?.queues[state] ?? 0,
    since: NO_WAIT.includes(state) ? undefined : oldest[state],
    isWorst: state === worst,
  }));
}
