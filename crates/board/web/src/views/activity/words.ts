/** Events in words. */

import {
  actionPath,
  draftPath,
  flowPath,
  machinePath,
  projectPath,
  taskPath,
} from "../../state/paths";
import type { StoredEvent } from "../../live/events";
import { eventWords, plainDetails, shortId } from "../../ui/words";
import { targetWords } from "../fleet/pause-words";

/** The kinds of subjects, with their names in the plural. */
export const KINDS: readonly [string, string][] = [
  ["task", "tasks"],
  ["action", "questions and proposals"],
  ["message", "messages"],
  ["orchestrator", "machines"],
  ["pause", "pauses"],
  ["project", "projects"],
  ["draft", "drafts"],
  ["flow", "flows"],
  ["role", "roles"],
  ["key", "keys"],
];

const NAMES: Record<string, string> = { orchestrator: "machine", action: "question or proposal" };

/** The name of a kind of subject in words. */
function kindWords(kind: string): string {
  return NAMES[kind] ?? kind;
}

/** What happened, in words. */
export function whatWords(event: StoredEvent): string {
  const { kind } = event.subject;
  const name = event.type.slice(event.type.indexOf(".") + 1);
  if (kind === "pause") return PAUSES[name] ?? eventWords(event.type);
  return eventWords(event.type);
}

const PAUSES: Record<string, string> = { created: "paused", updated: "paused", deleted: "ended" };

/** The view that shows the subject of an event; undefined if there is none. */
export function pageOf({ subject: { kind, id }, type }: StoredEvent): string | undefined {
  switch (kind) {
    case "task":
      return taskPath(id);
    case "action":
      return actionPath(id);
    case "orchestrator":
      return machinePath(id);
    case "pause":
      return "/fleet";
    case "project":
      return type === "project.deleted" ? undefined : projectPath(id);
    case "draft":
      return type === "draft.deleted" ? undefined : draftPath(id);
    case "flow":
      return type === "flow.deleted" ? undefined : flowPath(id);
    default:
      return undefined;
  }
}

/** The subject of an event, as it is shown. `titles` are those of tasks. */
export function subjectWords(event: StoredEvent, titles: ReadonlyMap<string, string>): string {
  const { kind, id } = event.subject;
  switch (kind) {
    case "task":
      return titles.get(id) ?? `task ${shortId(id)}`;
    case "pause":
      return targetWords(id);
    // Their ids say nothing to people.
    case "action":
    case "message":
      return kindWords(kind);
    default:
      return `${kindWords(kind)} ${id}`;
  }
}

/** What happens to a task and leaves it in its queue. */
const NO_MOVES = ["edited", "unblocked", "hook_completed", "cancel_requested", "review_claimed"];

/** Where a task is after an event that moves it. */
export function movedTo(event: StoredEvent): string | undefined {
  if (!event.queue || NO_MOVES.some((name) => event.type === `task.${name}`)) return undefined;
  return event.queue;
}

/** The details of an event, in a line; empty if there are none. */
export function detailWords(event: StoredEvent): string {
  if (!event.details) return "";
  try {
    const value: unknown = JSON.parse(event.details);
    if (typeof value !== "object" || value === null) return event.details;
    // The queue says where it went.
    const { to: _, ...rest } = value as { to?: unknown };
    return plainDetails(JSON.stringify(rest));
  } catch {
    return event.details;
  }
}
