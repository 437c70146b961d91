/** Drafts: their text, their fields in a form, and what a draft becomes. */

import type { Draft } from "../../api/types";

/** The statuses that drafts have by convention. */
export const STATUSES = ["idea", "draft", "review", "approved", "implemented", "rejected"] as const;

/** The longest text of a draft, in bytes of UTF-8. */
export const TEXT_BYTES_MAX = 4_096;

/** The first line of a text, and what follows it. */
export function parted(text: string): { title: string; rest: string } {
  const trimmed = text.trim();
  const end = trimmed.indexOf("\n");
  if (end < 0) return { title: trimmed, rest: "" };
  return { title: trimmed.slice(0, end).trim(), rest: trimmed.slice(end).trim() };
}

/** What the form of a draft contains. */
export interface DraftFields {
  text: string;
  status: string;
  domain: string;
  /** Separated by commas. */
  tags: string;
}

/** The form of a draft, or of a new one. */
export function fieldsOf(draft?: Draft): DraftFields {
  return {
    text: draft?.title ?? "",
    status: draft?.status ?? "idea",
    domain: draft?.domain ?? "",
    tags: draft ? tagsOf(draft).join(", ") : "",
  };
}

/** The tags of a draft, which the server returns as JSON text. */
export function tagsOf({ tags }: Pick<Draft, "tags">): string[] {
  try {
    const value: unknown = JSON.parse(tags ?? "[]");
    return Array.isArray(value) ? value.map(String) : [];
  } catch {
    return [];
  }
}

/** The body that creates or changes a draft. */
export function bodyOf({ text, status, domain, tags }: DraftFields): object {
  const names = tags.split(",").map((tag) => tag.trim());
  return {
    title: text.trim(),
    status,
    domain: domain.trim() || null,
    tags: names.filter(Boolean),
  };
}

/** Why a text cannot be saved; undefined if it can. */
export function textProblem(text: string): string | undefined {
  const bytes = new TextEncoder().encode(text.trim()).length;
  if (bytes <= TEXT_BYTES_MAX) return undefined;
  return (
    `The text has ${bytes.toLocaleString("en")} bytes of at most ` +
    `${TEXT_BYTES_MAX.toLocaleString("en")}. Promote a shorter one: a task can have a long text.`
  );
}

/** What the form of a promotion to a task contains. */
export interface TaskFields {
  title: string;
  content: string;
  priority: string;
  role: string;
  project: string;
  branch: string;
  flow: string;
}

/** The task that a draft becomes, before a person changes it. */
export function taskOf(draft: Draft, flow: string): TaskFields {
  const { title, rest } = parted(draft.title);
  return {
    title,
    content: rest,
    priority: "P2",
    role: "",
    project: draft.linked_project_id ?? "",
    branch: "main",
    flow,
  };
}

/** The body of a promotion to a task with this id. */
export function promotion(fields: TaskFields, id: string, scope: string): object {
  const { title, content, project, ...rest } = fields;
  return {
    to: "task",
    id,
    file_path: `tasks/${id}.md`,
    scope,
    title: title.trim(),
    content: content.trim() || title.trim(),
    project_id: project || undefined,
    ...rest,
    role: rest.role.trim() || undefined,
    branch: rest.branch.trim(),
    flow: rest.flow || undefined,
  };
}
