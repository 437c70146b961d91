/** Which steps a person can take with a task as it is. */

import type { Step } from "../../api/endpoints";
import { isFinished } from "../../api/names";
import type { Flow, Task } from "../../api/types";
import { statesOf } from "../../state/flows";

/** The queues that a task without a known flow may be in. */
const QUEUES = ["incoming", "claimed", "provisional", "needs_continuation", "done", "failed"];

/** The steps that make sense, the most likely first. */
export function stepsOf(task: Pick<Task, "queue" | "cancel_requested_at">): Step[] {
  switch (task.queue) {
    case "provisional":
      return ["accept", "reject", "cancel", "force-queue"];
    case "claimed":
      return task.cancel_requested_at ? ["requeue"] : ["requeue", "cancel", "force-queue"];
    case "done":
      return ["force-queue"];
    case "failed":
    case "cancelled":
      return ["retry", "force-queue"];
    default:
      return ["cancel", "force-queue"];
  }
}

/** The queues that a task may be moved to by hand: those of its flow. */
export function queuesOf(task: Pick<Task, "queue" | "flow">, flows: readonly Flow[]): string[] {
  const flow = flows.find(({ name }) => name === task.flow);
  const states = flow ? statesOf(flow) : QUEUES;
  return states.filter((queue) => queue !== task.queue && queue !== "claimed");
}

/** The queues of tasks that are not finished, in all flows. */
export function openQueues(flows: readonly Flow[]): string[] {
  const all = new Set([...QUEUES, ...flows.flatMap(statesOf)]);
  return [...all].filter((queue) => !isFinished(queue));
}
