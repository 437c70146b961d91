/** What happens to a task next, in one sentence. */

import type { Reason, Task, Why } from "../../api/types";

/** The sentence, and the times that it ends with. */
export interface Next {
  text: string;
  /** Since when: "for 8 min". */
  since?: string;
  /** When it ends by itself: "in 42 s". */
  until?: string;
  /** The task that it is about. */
  taskId?: string;
}

/** Returns the sentence. `why` is undefined until it is read. */
export function nextOf(task: Task, why: Why | undefined): Next {
  switch (task.queue) {
    case "provisional":
      return inReview(task, why);
    case "claimed":
      return claimed(task);
    case "done":
      return { text: "Done. Nothing more happens to it" };
    case "failed":
      return { text: "Not tried again, unless you retry it" };
    case "cancelled":
      return { text: "Not worked on, unless you retry it" };
    default:
      return waiting(task, why);
  }
}

function inReview(task: Task, why: Why | undefined): Next {
  const held = why?.reasons.find(({ code }) => code === "held");
  if (held) return { text: `${held.holder ?? "An agent"} reviews it; you may decide as well` };
  return { text: "Waits for your review", ...(task.submitted_at && { since: task.submitted_at }) };
}

function claimed(task: Task): Next {
  const agent = task.claimed_by ?? "An agent";
  if (task.cancel_requested_at) {
    return { text: `Will be cancelled when ${agent} stops`, since: task.cancel_requested_at };
  }
  const place = task.orchestrator_id ? ` on ${task.orchestrator_id}` : "";
  return {
    text: `${agent} works on it${place}`,
    ...(task.claimed_at && { since: task.claimed_at }),
  };
}

const WAITS: Partial<Record<Reason["code"], string>> = {
  awaiting_input: "Waits for your answer",
  not_before: "Will be tried again",
  cancel_requested: "Will be cancelled when its holder stops",
};

function waiting(task: Task, why: Why | undefined): Next {
  if (!why) return { text: "Waits" };
  if (why.claimable) return { text: "The next free agent that fits gets it" };
  const [first] = why.reasons;
  if (!first) return { text: "Waits" };
  if (first.code === "not_before" && task.failure_count === 0) {
    return { text: "Will be handed out", ...(first.until && { until: first.until }) };
  }
  return {
    text: WAITS[first.code] ?? first.text,
    ...(first.until && { until: first.until }),
    ...(first.task_id && { taskId: first.task_id }),
  };
}
