import { describe, expect, it } from "vitest";

import type { Project } from "../../api/types";
import { changes, creation, fieldsOf, newFields, slug, statusChange, withTitle } from "./fields";

const NOW = Date.parse("2026-11-26T12:00:00.000Z");

const PROJECT = {
  id: "parser",
  title: "Port the parser",
  description: "Keep the texts.",
  status: "active",
  branch: "feature/winnow",
  base_branch: "main",
  flow: null,
} as Project;

describe("a new project", () => {
  it("has an id and a branch after its title, until others are written", () => {
    const typed = withTitle(newFields(), "Port the parser!");
    expect(typed).toMatchObject({ id: "port-the-parser", branch: "project/port-the-parser" });
    const named = withTitle({ ...typed, branch: "winnow" }, "Port it");
    expect(named).toMatchObject({ id: "port-it", branch: "winnow" });
  });

  it("is created in the scope, with the server's defaults for what is empty", () => {
    const body = creation({ ...newFields("Port it"), base_branch: " " }, "s", "ada");
    expect(body).toMatchObject({ id: "port-it", title: "Port it", scope: "s", created_by: "ada" });
    expect(JSON.parse(JSON.stringify(body))).not.toHaveProperty("base_branch");
    expect(JSON.parse(JSON.stringify(body))).not.toHaveProperty("flow");
  });

  it("has an id that addresses and branches can contain", () => {
    expect(slug("  Größe: ändern / löschen  ")).toBe("gro-e-andern-loschen");
    expect(slug("…")).toBe("");
    expect(slug(`${"a".repeat(39)} b`)).toBe("a".repeat(39));
  });
});

describe("the change of a project", () => {
  it("has only what differs, and clears what is emptied", () => {
    const fields = fieldsOf(PROJECT);
    expect(changes(PROJECT, fields, NOW)).toBeUndefined();
    expect(changes(PROJECT, { ...fields, title: "Port it ", description: "" }, NOW)).toEqual({
      title: "Port it",
      description: null,
    });
  });

  it("says when it was completed, and clears that when it is reopened", () => {
    const completed = { status: "completed", completed_at: "2026-11-26T12:00:00.000Z" };
    expect(statusChange("completed", NOW)).toEqual(completed);
    expect(changes(PROJECT, { ...fieldsOf(PROJECT), status: "completed" }, NOW)).toEqual(completed);
    expect(statusChange("active", NOW)).toEqual({ status: "active", completed_at: null });
    expect(JSON.stringify(statusChange("archived", NOW))).toBe('{"status":"archived"}');
  });
});
