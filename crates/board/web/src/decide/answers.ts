/** Answers to questions and verdicts on proposals, given by a button or by a key. */

import { signal } from "@preact/signals";

import { endAction } from "../api/endpoints";
import { ApiError } from "../api/http";
import type { Action } from "../api/types";
import { useKeys, type Binding } from "../keys/keys";
import { canDecide, userName } from "../state/session";

/** How an action ends: a question is completed, a proposal is executed or fails. */
type Ending = "complete" | "fail" | "execute";

/** The state of an answer that was given. */
interface Answered {
  isBusy: boolean;
  /** Why the server did not take it, in its words. */
  problem?: string;
}

/** The question whose answer is being written. */
export const answering = signal<string | undefined>(undefined);

/** The answers that were given, by action. */
export const answered = signal<ReadonlyMap<string, Answered>>(new Map());

function note(id: string, what: Answered): void {
  answered.value = new Map(answered.value).set(id, what);
}

/** Ends an action. It stays busy afterwards, until the list no longer has it. */
export async function end(action: Action, how: Ending, result?: string): Promise<void> {
  if (answered.value.get(action.id)?.isBusy) return;
  note(action.id, { isBusy: true });
  try {
    await endAction(action.id, how, { by: userName.value, result: result ?? null });
    if (answering.value === action.id) answering.value = undefined;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note(action.id, { isBusy: false, problem: error.message });
  }
}

/** Approves a proposal: a client that carries out its type sees the request. */
export function approve(action: Action): void {
  void end(action, "execute");
}

/** Denies a proposal. */
export function deny(action: Action): void {
  void end(action, "fail", "denied");
}

/** Whether an action asks for an answer in words, instead of a yes or no. */
export function isQuestion(action: Action): boolean {
  return action.action_type === "question";
}

/** The keys for the action under the cursor. */
export function useAnswerKeys(action: Action | undefined): void {
  useKeys(action && canDecide.value ? keysOf(action) : []);
}

function keysOf(action: Action): Binding[] {
  const group = "Inbox";
  if (isQuestion(action)) {
    const answer = () => (answering.value = action.id);
    return [{ keys: "Enter", label: "Answer the question", run: answer, group }];
  }
  return [
    { keys: "a", label: "Approve the proposal", run: () => approve(action), group },
    { keys: "d", label: "Deny the proposal", run: () => deny(action), group },
  ];
}
