/** What can be done with many tasks at once. */

import { patchTask, takeStep } from "../api/endpoints";
import { idempotencyKey } from "../api/http";
import { userName } from "../state/session";
import { stateWords } from "../ui/words";
import { hasQueue, mayRequeue, type RulesByFlow } from "./flows";
import type { Target } from "./targets";

/** What the user fills in. */
export interface Values {
  reason: string;
  queue: string;
  priority: string;
}

/** What a change will do to a task, as far as the board knows. */
type Verdict =
  | { kind: "changes"; takesWork: boolean }
  /** Nothing is to be changed. */
  | { kind: "same" }
  | { kind: "refused"; why: string };

/** The name of a change. */
export type ChangeName = "requeue" | "retry" | "cancel" | "move" | "priority";

/** A change of many tasks. */
export interface Change {
  name: ChangeName;
  /** What the button says. */
  label: string;
  /** `Cancelling`, `cancelled`. */
  words: [doing: string, did: string];
  /** What it does, in a sentence. */
  effect: string;
  reason: "required" | "optional" | "none";
  judge: (task: Target, values: Values, rules: RulesByFlow) => Verdict;
  /** Makes the request. It can be sent again, and is carried out once. */
  prepare: (task: Target, values: Values) => () => Promise<unknown>;
}

const CHANGES: Verdict = { kind: "changes", takesWork: false };

function held(task: Target): Verdict {
  return { kind: "changes", takesWork: Boolean(task.claimed_by) };
}

function refusedIn(queue: string): Verdict {
  return { kind: "refused", why: `in the state “${stateWords(queue)}”` };
}

function step(name: "requeue" | "retry" | "cancel" | "force-queue", body: (v: Values) => object) {
  return (task: Target, values: Values) => {
    const key = idempotencyKey();
    return () => takeStep(task.id, name, body(values), task.version, key);
  };
}

/** The changes, in the order of their buttons. */
export const changes: readonly Change[] = [
  {
    name: "requeue",
    label: "Requeue",
    words: ["Requeueing", "requeued"],
    effect: "The tasks go back to the waiting ones, and count one more attempt.",
    reason: "optional",
    judge: (task, _, rules) => (mayRequeue(task, rules) ? held(task) : refusedIn(task.queue)),
    prepare: step("requeue", ({ reason }) => ({ reason: reason || undefined })),
  },
  {
    name: "retry",
    label: "Retry",
    words: ["Retrying", "retried"],
    effect: "Failed and cancelled tasks wait again; their failures and delays are reset.",
    reason: "optional",
    judge: ({ queue }) => (["failed", "cancelled"].includes(queue) ? CHANGES : refusedIn(queue)),
    prepare: step("retry", ({ reason }) => ({ by: userName.value, reason: reason || undefined })),
  },
  {
    name: "cancel",
    label: "Cancel",
    words: ["Cancelling", "cancelled"],
    effect: "Tasks that run are cancelled when their agents have stopped.",
    reason: "required",
    judge: (task) => {
      if (task.queue === "done") return refusedIn(task.queue);
      const isOver = task.queue === "cancelled" || Boolean(task.cancel_requested_at);
      return isOver ? { kind: "same" } : held(task);
    },
    prepare: step("cancel", ({ reason }) => ({ by: userName.value, reason })),
  },
  {
    name: "move",
    label: "Move",
    words: ["Moving", "moved"],
    effect: "The tasks are moved by hand, even if their flows have no such step.",
    reason: "required",
    judge: (task, { queue }, rules) => {
      if (task.queue === queue) return { kind: "same" };
      if (hasQueue(task, queue, rules)) return held(task);
      return { kind: "refused", why: `of the flow “${task.flow}”, which has no such state` };
    },
    prepare: step("force-queue", ({ queue, reason }) => ({ queue, reason })),
  },
  {
    name: "priority",
    label: "Priority",
    words: ["Changing", "changed"],
    effect: "P0 is handed out first, P3 last.",
    reason: "none",
    judge: (task, { priority }) => (task.priority === priority ? { kind: "same" } : CHANGES),
    // Without a version: the new priority holds even if another client has changed the task.
    prepare: (task, { priority }) => () => patchTask(task.id, { priority }),
  },
];

/** The change of this name. */
export function changeNamed(name: ChangeName): Change {
  const found = changes.find((change) => change.name === name);
  if (!found) throw new Error(`There is no change named ${name}`);
  return found;
}

/** What a change will do: for which tasks it is sent, and how many it leaves out. */
export interface Plan {
  sent: Target[];
  /** How many of them are held by agents, whose work is lost. */
  held: number;
  same: number;
  refused: { task: Target; why: string }[];
}

/** Plans a change. */
export function planOf(
  change: Change,
  tasks: readonly Target[],
  values: Values,
  rules: RulesByFlow,
): Plan {
  const plan: Plan = { sent: [], held: 0, same: 0, refused: [] };
  for (const task of tasks) {
    const verdict = change.judge(task, values, rules);
    if (verdict.kind === "refused") plan.refused.push({ task, why: verdict.why });
    else if (verdict.kind === "same") plan.same += 1;
    else {
      plan.sent.push(task);
      if (verdict.takesWork) plan.held += 1;
    }
  }
  return plan;
}

/** The refusals of a plan by their reasons, the most frequent first. */
export function refusalsOf(plan: Plan): [why: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { why } of plan.refused) counts.set(why, (counts.get(why) ?? 0) + 1);
  return [...counts].sort(([, one], [, other]) => other - one);
}
