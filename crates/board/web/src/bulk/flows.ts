/** The rules of flows that the board checks before it sends a change. */

import type { Flow } from "../api/types";
import { statesOf, transitionsOf } from "../state/flows";
import type { Target } from "./targets";

/** The queues that are valid in every flow. */
const BUILT_IN = ["incoming", "claimed", "done", "failed"];
/** The usual queues of a task whose flow is not registered. */
const USUAL = ["incoming", "provisional", "done", "failed"];

interface Rules {
  states: readonly string[];
  /** The steps, as `from to`. */
  steps: ReadonlySet<string>;
  /** Whether tasks of projects have steps of their own, which only the server knows. */
  hasChild: boolean;
}

/** The rules of flows by their names. */
export type RulesByFlow = ReadonlyMap<string, Rules>;

/** Reads the flows. */
export function rulesOf(flows: readonly Flow[]): RulesByFlow {
  return new Map(
    flows.map((flow) => {
      const steps = new Set(transitionsOf(flow).map(({ from, to }) => `${from} ${to}`));
      const hasChild = flow.child_flow !== null && flow.child_flow !== undefined;
      return [flow.name, { states: statesOf(flow), steps, hasChild }];
    }),
  );
}

function rulesFor(task: Target, rules: RulesByFlow): Rules | undefined {
  return rules.get(task.flow ?? "default");
}

/** Whether a task's flow lets it be requeued, as far as the board knows. */
export function mayRequeue(task: Target, rules: RulesByFlow): boolean {
  const own = rulesFor(task, rules);
  if (!own) return ["claimed", "provisional"].includes(task.queue);
  if (own.hasChild && task.project_id) return true;
  return own.steps.has(`${task.queue} incoming`);
}

/** Whether a task's flow has a queue, as far as the board knows. */
export function hasQueue(task: Target, queue: string, rules: RulesByFlow): boolean {
  const own = rulesFor(task, rules);
  if (!own || BUILT_IN.includes(queue)) return true;
  return own.states.includes(queue) || (own.hasChild && Boolean(task.project_id));
}

/** The queues that tasks can be moved to by hand: those of their flows. */
export function queuesFor(tasks: readonly Target[], rules: RulesByFlow): string[] {
  const queues = new Set<string>();
  for (const task of tasks) {
    for (const queue of rulesFor(task, rules)?.states ?? USUAL) queues.add(queue);
  }
  // A task in `claimed` has a holder: only a claim makes one.
  queues.delete("claimed");
  return [...queues];
}
