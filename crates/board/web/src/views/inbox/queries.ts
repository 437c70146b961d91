/** What the view Inbox reads beside what the view Now reads. */

import { listActions } from "../../api/endpoints";
import type { Action, ActionList } from "../../api/types";
import { kinds, type QueryOptions } from "../../state/queries";

/** How many of the latest actions are searched for answered ones. */
const ENDED_MAX = 100;
/** How long after it was asked an answered question is shown, in milliseconds. */
const SHOWN_MS = 86_400_000;

/** The latest actions, of any status. */
export const endedQuery: QueryOptions<ActionList> = {
  name: "actions.latest",
  load: (signal) => listActions({ limit: ENDED_MAX }, signal),
  concerns: kinds("action"),
};

/** The actions of the last day that are no longer open, the latest first. */
export function endedSince(actions: readonly Action[], now: number): Action[] {
  return actions.filter(
    ({ status, proposed_at }) => status !== "proposed" && now - Date.parse(proposed_at) < SHOWN_MS,
  );
}

/** What became of an action, in words. */
export function endWords({ action_type, status, result }: Action): string {
  if (status === "completed") return action_type === "question" ? "answered" : "carried out";
  if (status === "failed") {
    if (action_type === "question") return "closed";
    return result === "denied" ? "denied" : "failed";
  }
  return status === "expired" ? "expired" : "approved";
}

/** The result of an action as text: JSON texts are shown without their quotes. */
export function resultText({ result }: Action): string {
  if (!result) return "";
  try {
    const value: unknown = JSON.parse(result);
    return typeof value === "string" ? value : result;
  } catch {
    return result;
  }
}
