/** What the view Now reads: a fixed number of requests, however many rows there are. */

import { getSummary, listActions, listTasks } from "../../api/endpoints";
import type { Action, ActionList, ListedTask, Summary, TaskList } from "../../api/types";
import { liveStatus } from "../../live/live";
import { learnTime } from "../../state/clock";
import { kinds, type QueryOptions } from "../../state/queries";

/** The most waiting tasks that are shown. The view Tasks has all of them. */
const WAITING_MAX = 20;
/** The most rows of the other lists. */
const ROWS_MAX = 50;

/** The changes that concern the counts. */
const counts = kinds("task", "action", "pause", "orchestrator", "flow");

/** The summary of the scope. */
export const summaryQuery: QueryOptions<Summary> = {
  name: "summary",
  load: async (signal) => {
    const isBusy = liveStatus.value === "busy";
    const summary = await getSummary(signal, isBusy ? 1 : 0);
    learnTime(summary.at);
    return summary;
  },
  concerns: counts,
  isSummary: true,
};

/** A list of tasks. */
function tasksQuery(
  name: string,
  query: Record<string, string | number | boolean>,
): QueryOptions<TaskList> {
  return { name, load: (signal) => listTasks(query, signal), concerns: counts };
}

/** The tasks that agents work on. */
export const runningQuery = tasksQuery("now.running", {
  queue: "claimed",
  include: "run",
  limit: ROWS_MAX,
});

/** The tasks whose work a person, or another agent, has to look at: the most urgent first. */
export const reviewQuery = tasksQuery("now.review", {
  queue: "provisional",
  include: "waiting,run",
  sort: "priority",
  limit: ROWS_MAX,
});

/** The tasks that wait, in the order in which they are handed out. */
export const waitingQuery = tasksQuery("now.waiting", {
  queue: "incoming",
  include: "waiting",
  sort: "priority",
  limit: WAITING_MAX,
});

/** The tasks that are flagged for a person. */
export const flaggedQuery = tasksQuery("now.flagged", {
  needs_intervention: true,
  queue: "incoming,claimed,provisional,needs_continuation",
  limit: ROWS_MAX,
});

/** The questions and proposals that are open. */
export const actionsQuery: QueryOptions<ActionList> = {
  name: "actions.proposed",
  load: (signal) => listActions({ status: "proposed", limit: 100 }, signal),
  concerns: kinds("action"),
};

/** How many rows of a list are not on its first page. */
export function restOf(
  list: { tasks?: unknown[]; actions?: unknown[]; total?: number | null } | undefined,
): number {
  const shown = list?.tasks ?? list?.actions ?? [];
  return Math.max(0, (list?.total ?? 0) - shown.length);
}

/** Whether an agent holds the review of a task, so that no person has to decide. */
export function isBeingReviewed(task: ListedTask): boolean {
  return task.waiting?.code === "held";
}

/** The flagged tasks about which no question is open, and which are not to be reviewed. */
export function unasked(
  tasks: readonly ListedTask[],
  actions: readonly Action[],
): ListedTask[] {
  const asked = new Set(actions.map((action) => action.entity_id));
  return tasks.filter((task) => !asked.has(task.id) && task.queue !== "provisional");
}
