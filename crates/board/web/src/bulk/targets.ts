/** The tasks that a change of many is about. */

import { listTasks } from "../api/endpoints";
import type { Query } from "../api/http";
import type { ListedTask } from "../api/types";
import { readPatiently } from "./run";

/** A task, as far as a change of many has to know it. */
export type Target = Pick<
  ListedTask,
  | "id"
  | "title"
  | "queue"
  | "version"
  | "flow"
  | "priority"
  | "project_id"
  | "claimed_by"
  | "cancel_requested_at"
>;

/** Which tasks: those that were picked, or all that match a filter. */
export type Source =
  | { kind: "picked"; tasks: readonly Target[] }
  | { kind: "matching"; query: Query; except: ReadonlySet<string> };

/** The largest page of a list. */
const PAGE = 500;

function targetOf(task: Target): Target {
  const { id, title, queue, version, flow, priority, project_id } = task;
  const { claimed_by, cancel_requested_at } = task;
  return { id, title, queue, version, flow, priority, project_id, claimed_by, cancel_requested_at };
}

/** Finds the tasks, page by page. `onMore` is called with how many are found. */
export async function collect(
  source: Source,
  signal: AbortSignal,
  onMore: (count: number) => void,
): Promise<Target[]> {
  if (source.kind === "picked") return source.tasks.map(targetOf);
  const found = new Map<string, Target>();
  // The newest first: in this order a task is on one page only, even if its priority changes.
  const query: Query = { ...source.query, sort: undefined, limit: PAGE };
  let cursor: string | undefined;
  do {
    const read = () => listTasks({ ...query, cursor }, signal);
    const page = await readPatiently(read, signal);
    for (const task of page.tasks) {
      if (!source.except.has(task.id)) found.set(task.id, targetOf(task));
    }
    onMore(found.size);
    cursor = page.next_cursor ?? undefined;
  } while (cursor);
  return [...found.values()];
}
