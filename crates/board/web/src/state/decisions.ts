/**
 * Decisions about tasks. A decision is shown at once, and sent with the version that the person
 * saw. If another client has changed the task first, nothing is changed, and the row says what that
 * client did.
 */

import { signal } from "@preact/signals";

import { getHistory, getTask, takeStep, patchTask, type Step } from "../api/endpoints";
import { ApiError } from "../api/http";
import type { Flow, Task } from "../api/types";
import { plainDetails, eventWords } from "../ui/words";
import { knownFlows, transitionsOf } from "./flows";
import { userName } from "./session";

/** The text beside a task while it is decided, and after that. */
export interface Notice {
  /** `pending` until the server has answered. */
  kind: "pending" | "done" | "refused";
  text: string;
  /** The version that the notice is about. It is not shown for later versions. */
  version: number;
}

/** The notices by task. */
export const notices = signal<ReadonlyMap<string, Notice>>(new Map());

/** The fields of a task that a decision needs. */
export type Decided = Pick<Task, "id" | "version" | "queue" | "flow">;

/** The words for each step while it is carried out, and after that. */
const WORDS: Record<Step | "edit", [string, string]> = {
  accept: ["accepting", "accepted"],
  reject: ["rejecting", "rejected"],
  requeue: ["requeueing", "requeued"],
  cancel: ["cancelling", "cancelled"],
  retry: ["retrying", "retried"],
  "force-queue": ["moving", "moved"],
  edit: ["saving", "saved"],
};

function show(id: string, notice: Notice | undefined): void {
  const changed = new Map(notices.value);
  if (notice) changed.set(id, notice);
  else changed.delete(id);
  notices.value = changed;
}

/** Removes the notice of a task. */
export function dismissNotice(id: string): void {
  show(id, undefined);
}

/** The notice of a task, if it is about the version that is shown. */
export function noticeOf(task: { id: string; version: number }): Notice | undefined {
  const notice = notices.value.get(task.id);
  return notice && notice.version >= task.version ? notice : undefined;
}

/** Carries a step out, and returns the task after it; undefined if it was refused. */
export async function decide(task: Decided, step: Step, body: object): Promise<Task | undefined> {
  return attempt(task, WORDS[step], async () => takeStep(task.id, step, body, task.version));
}

/** Changes fields of a task. */
export function editTask(task: Decided, body: object): Promise<Task | undefined> {
  return attempt(task, WORDS.edit, () => patchTask(task.id, body, task.version));
}

/** Accepts work: the task moves on in its flow, or is done. */
export function accept(task: Decided): Promise<Task | undefined> {
  return attempt(task, WORDS.accept, async () => {
    const queue = nextAfterReview(task, await knownFlows());
    return takeStep(task.id, "accept", { accepted_by: userName.value, queue }, task.version);
  });
}

/** Rejects work, with a reason that the next attempt is given. */
export function reject(task: Decided, reason: string): Promise<Task | undefined> {
  return decide(task, "reject", { rejected_by: userName.value, reason });
}

async function attempt(
  task: Decided,
  [doing, did]: [string, string],
  send: () => Promise<Task>,
): Promise<Task | undefined> {
  const known = noticeOf(task)?.kind;
  if (known === "pending" || known === "done") return undefined;
  show(task.id, { kind: "pending", text: `${doing}…`, version: task.version });
  try {
    const changed = await send();
    show(task.id, { kind: "done", text: did, version: task.version });
    return changed;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { text, version } = error.isConflict
      ? await otherChange(task, error)
      : { text: error.message, version: task.version };
    show(task.id, { kind: "refused", text, version });
    return undefined;
  }
}

/** What another client has done to the task. */
async function otherChange(
  task: Decided,
  error: ApiError,
): Promise<{ text: string; version: number }> {
  try {
    const now = await getTask(task.id);
    if (now.version === task.version) return { text: error.message, version: task.version };
    const { events } = await getHistory(task.id, { limit: 500 });
    const last = events.at(-1);
    const what = last ? eventWords(last.event) : `moved to ${now.queue}`;
    const who = last?.agent ? ` by ${last.agent}` : "";
    const why = last?.details ? `: ${plainDetails(last.details)}` : "";
    return { text: `Changed meanwhile: ${what}${who}${why}`, version: now.version };
  } catch {
    return { text: error.message, version: task.version };
  }
}

/** Where a task goes that is accepted; undefined: it is done. */
export function nextAfterReview(task: Decided, flows: readonly Flow[]): string | undefined {
  if (task.queue !== "provisional") return undefined;
  const flow = flows.find((known) => known.name === task.flow);
  if (!flow) return undefined;
  const isOnward = transitionsOf(flow).some(
    ({ from, to }) => from === "provisional" && to === "approved",
  );
  return isOnward ? "approved" : undefined;
}
