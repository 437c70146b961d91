/** The fields of a project, as a form has them, and as the API wants them. */

import type { Project } from "../../api/types";

/** The statuses that projects have by convention. */
export const STATUSES = ["draft", "active", "completed", "archived"] as const;

/** What the form of a project contains. */
export interface ProjectFields {
  id: string;
  title: string;
  description: string;
  branch: string;
  base_branch: string;
  status: string;
  flow: string;
}

/** An empty form, or one that begins with a title. */
export function newFields(title = ""): ProjectFields {
  const id = slug(title);
  return {
    id,
    title,
    description: "",
    branch: id && `project/${id}`,
    base_branch: "main",
    status: "active",
    flow: "",
  };
}

/** The form of a project that exists. */
export function fieldsOf(project: Project): ProjectFields {
  return {
    id: project.id,
    title: project.title,
    description: project.description ?? "",
    branch: project.branch ?? "",
    base_branch: project.base_branch ?? "",
    status: project.status,
    flow: project.flow ?? "",
  };
}

/**
 * The form after the title was changed: the id and the branch follow it, until a person has written
 * others.
 */
export function withTitle(fields: ProjectFields, title: string): ProjectFields {
  const before = newFields(fields.title);
  const next = newFields(title);
  return {
    ...fields,
    title,
    id: fields.id === before.id ? next.id : fields.id,
    branch: fields.branch === before.branch ? next.branch : fields.branch,
  };
}

/** The body that creates a project. Fields that are empty have the server's defaults. */
export function creation(fields: ProjectFields, scope: string, by: string): object {
  return {
    ...trimmed(fields),
    base_branch: fields.base_branch.trim() || undefined,
    flow: fields.flow || undefined,
    scope,
    created_by: by,
  };
}

/** The body that changes a project: what differs from it, and when it was completed. */
export function changes(project: Project, fields: ProjectFields, now: number): object | undefined {
  const before = trimmed(fieldsOf(project));
  const after = Object.entries(trimmed(fields)) as [keyof ProjectFields, string][];
  const changed = after.filter(([name, value]) => name !== "id" && before[name] !== value);
  if (changed.length === 0) return undefined;
  const body = Object.fromEntries(changed.map(([name, value]) => [name, value || null]));
  return "status" in body ? { ...body, completed_at: completedAt(fields.status, now) } : body;
}

/** The body that moves a project to another status. */
export function statusChange(status: string, now: number): object {
  return { status, completed_at: completedAt(status, now) };
}

function completedAt(status: string, now: number): string | null | undefined {
  if (status === "completed") return new Date(now).toISOString();
  // An archived project keeps the time at which it was completed.
  return status === "archived" ? undefined : null;
}

function trimmed(fields: ProjectFields): ProjectFields {
  const pairs = Object.entries(fields).map(([name, value]) => [name, String(value).trim()]);
  return Object.fromEntries(pairs) as ProjectFields;
}

/** A title as an id: `Port the parser!` is `port-the-parser`. */
export function slug(title: string): string {
  const plain = title.normalize("NFKD").replaceAll(/\p{M}/gu, "");
  return plain
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, "");
}
