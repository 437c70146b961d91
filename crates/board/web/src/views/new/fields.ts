/** The fields of a new task, which are kept until the task is created, and its creation. */

import { createDraft, createTask } from "../../api/endpoints";
import { ApiError } from "../../api/http";
import { randomId } from "../../api/names";
import type { Draft, NewTask, Task } from "../../api/types";
import { isUtc } from "../../state/clock";
import { scope, userName } from "../../state/session";

/** The values of the form. */
export interface Fields {
  title: string;
  content: string;
  priority: string;
  role: string;
  project: string;
  /** The tasks to wait for: their ids, and the titles under which they are shown. */
  after: { id: string; title: string }[];
  /** Empty: the usual one. */
  flow: string;
  branch: string;
  /** As the field of the browser has it, without a zone: `2026-11-26T14:02`. */
  notBefore: string;
}

/** A form in which nothing is filled in. */
export const NOTHING: Fields = {
  title: "",
  content: "",
  priority: "P2",
  role: "",
  project: "",
  after: [],
  flow: "",
  branch: "main",
  notBefore: "",
};

/** The most tasks that a task can wait for. */
export const AFTER_MAX = 100;

/** How many random ids are tried before it fails because they are taken. */
const IDS_TRIED = 5;

function place(): string {
  return `octopoid.new-task.${scope.value}`;
}

/** The fields that were filled in and not sent, even if the panel was closed. */
export function keptFields(): Fields {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(place()) ?? "{}");
    return typeof kept === "object" ? { ...NOTHING, ...kept } : NOTHING;
  } catch {
    return NOTHING;
  }
}

/** Keeps what is filled in. */
export function keepFields(fields: Fields): void {
  sessionStorage.setItem(place(), JSON.stringify(fields));
}

/** Forgets what was filled in. */
export function forgetFields(): void {
  sessionStorage.removeItem(place());
}

/** The fields of the next task after one was created: those that tasks often share are kept. */
export function nextFields(fields: Fields): Fields {
  return { ...fields, title: "", content: "", after: [] };
}

/** An instant of a field of the browser, in the zone in which times are shown. */
export function instantOf(text: string): string | undefined {
  if (text === "") return undefined;
  const date = new Date(isUtc.value ? `${text}Z` : text);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** The body of the request. `usualFlow` is what a task follows whose flow is not chosen. */
export function bodyOf(
  fields: Fields,
  id: string,
  usualFlow: string | undefined,
): Partial<NewTask> {
  return {
    id,
    file_path: `tasks/${id}.md`,
    branch: fields.branch.trim() || "main",
    title: fields.title.trim(),
    content: fields.content.trim() || undefined,
    priority: fields.priority,
    role: fields.role || undefined,
    project_id: fields.project || undefined,
    blocked_by: fields.after.map((task) => task.id).join(",") || undefined,
    flow: fields.flow || usualFlow,
    not_before: instantOf(fields.notBefore),
  } as Partial<NewTask>;
}

/** Creates the task. If a random id is taken, another one is tried. */
export async function create(fields: Fields, usualFlow: string | undefined): Promise<Task> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await createTask(bodyOf(fields, randomId(), usualFlow));
    } catch (error) {
      const isTaken = error instanceof ApiError && error.code === "already_exists";
      if (!isTaken || tries === IDS_TRIED) throw error;
    }
  }
}

/** Saves the title as a draft. */
export function saveDraft(fields: Fields): Promise<Draft> {
  return createDraft({ title: fields.title.trim(), author: userName.value, scope: scope.value });
}
