/** What the page of a task reads. */

import {
  explainTask,
  getHistory,
  getRun,
  getTask,
  getThread,
  listRuns,
  listTasks,
} from "../../api/endpoints";
import type {
  HistoryEvent,
  MessageList,
  RunDetails,
  RunList,
  Task,
  TaskList,
  Why,
} from "../../api/types";
import { kinds, ofTask, queryNamed, type Concerns, type QueryOptions } from "../../state/queries";

/** The most events of a history that are read. */
const EVENTS_MAX = 2_000;
const PAGE = 500;
/** How many runs are shown at first. */
export const RUNS_PAGE = 50;
/** How many open tasks are read for the titles of those that a task waits for. */
const OPEN_MAX = 100;
/** How many of the tasks that wait for a task are shown. */
const DEPENDENTS_MAX = 100;

/** What happened to a task, and whether that is all. */
export interface KnownHistory {
  events: HistoryEvent[];
  isWhole: boolean;
}

const ownEvents =
  (id: string): Concerns =>
  (event) =>
    event.subject.id === id;

/** The task itself. */
export const taskQuery = (id: string): QueryOptions<Task> => ({
  name: `task ${id}`,
  load: (signal) => getTask(id, signal),
  concerns: ownEvents(id),
});

/** Why it waits. What it waits for changes that too. */
export const whyQuery = (id: string, blockers: readonly string[]): QueryOptions<Why> => ({
  name: `task ${id} why`,
  load: (signal) => explainTask(id, signal),
  concerns: (event) => ofTask(id)(event) || blockers.includes(event.subject.id),
});

/** Its history. */
export const historyQuery = (id: string): QueryOptions<KnownHistory> => ({
  name: `task ${id} history`,
  load: async (signal) => {
    const events: HistoryEvent[] = [];
    let cursor: string | undefined;
    do {
      const page = await getHistory(id, { limit: PAGE, cursor }, signal);
      events.push(...page.events);
      cursor = page.next_cursor ?? undefined;
    } while (cursor && events.length < EVENTS_MAX);
    return { events, isWhole: !cursor };
  },
  concerns: ownEvents(id),
});

/** Its runs, the newest first. */
export const runsQuery = (id: string, count = RUNS_PAGE): QueryOptions<RunList> => ({
  name: `task ${id} runs ${count}`,
  load: (signal) => listRuns(id, { limit: count }, signal),
  concerns: ownEvents(id),
});

const RUN_CHANGES = [
  "task.submitted",
  "task.failed",
  "task.requeued",
  "task.resumed",
  "task.cancelled",
  "task.burnout_detected",
];

/** A run with its result. What it has handed in does not change by a verdict. */
export const runQuery = (id: string, run: number): QueryOptions<RunDetails> => ({
  name: `task ${id} run ${run}`,
  load: (signal) => getRun(id, run, signal),
  concerns: (event) => event.subject.id === id && RUN_CHANGES.includes(event.type),
});

/** The query for a task without a run. It is never answered. */
export const noRunQuery: QueryOptions<RunDetails> = {
  name: "no run",
  // Nothing awaits it.
  load: () => new Promise(() => undefined),
  concerns: () => false,
};

/** The messages about it. */
export const threadQuery = (id: string): QueryOptions<MessageList> => ({
  name: `task ${id} thread`,
  load: (signal) => getThread(id, signal),
  concerns: kinds("message"),
});

const ORDER_CHANGES = ["task.created", "task.edited", "task.deleted", "task.unblocked"];

/** The tasks that wait for a task. What they are is changed by events of their own. */
export const dependentsQuery = (id: string): QueryOptions<TaskList> => ({
  name: `task ${id} dependents`,
  load: (signal) => listTasks({ waits_for: id, limit: DEPENDENTS_MAX }, signal),
  concerns: (event) =>
    event.subject.kind === "task" &&
    (event.subject.id === id || DEPENDENTS_CHANGES.includes(event.type)),
});

const DEPENDENTS_CHANGES = [...ORDER_CHANGES, "task.cancelled", "task.retried"];

/** The newest tasks that are not finished, which often are those that a task waits for. */
export const openQuery = (queues: string): QueryOptions<TaskList> => ({
  name: `open tasks ${queues}`,
  load: (signal) => listTasks({ queue: queues, limit: OPEN_MAX }, signal),
  concerns: (event) => ORDER_CHANGES.includes(event.type),
});

/** Reads everything about a task again, because it was changed here. */
export function invalidateTask(id: string): void {
  const all = [taskQuery(id), whyQuery(id, []), historyQuery(id), runsQuery(id), threadQuery(id)];
  for (const options of all) queryNamed(options as QueryOptions<unknown>).invalidate();
}

/** The ids in `blocked_by`, without the marker that stands for a question. */
export function blockersOf(task: Pick<Task, "blocked_by">): string[] {
  const names = (task.blocked_by ?? "").split(",").map((name) => name.trim());
  return names.filter((name) => name !== "" && name !== "awaiting-input");
}
