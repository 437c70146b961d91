import { describe, expect, it } from "vitest";

import type { Draft } from "../../api/types";
import {
  bodyOf,
  fieldsOf,
  parted,
  promotion,
  tagsOf,
  taskOf,
  TEXT_BYTES_MAX,
  textProblem,
} from "./fields";
import { randomId } from "../../api/names";

const DRAFT = {
  id: 2,
  title: "Ask for a second opinion\n\nBefore a person\nsees it.",
  status: "draft",
  author: "ada",
  domain: null,
  tags: '["review","cheap"]',
  linked_task_id: null,
  linked_project_id: "parser",
} as Draft;

describe("the text of a draft", () => {
  it("has a title in its first line", () => {
    expect(parted("One line ")).toEqual({ title: "One line", rest: "" });
    expect(parted(DRAFT.title)).toEqual({
      title: "Ask for a second opinion",
      rest: "Before a person\nsees it.",
    });
  });

  it("is bounded in bytes, not in characters", () => {
    expect(textProblem("a".repeat(TEXT_BYTES_MAX))).toBeUndefined();
    expect(textProblem("é".repeat(TEXT_BYTES_MAX / 2))).toBeUndefined();
    const problem = textProblem("é".repeat(TEXT_BYTES_MAX / 2 + 1));
    expect(problem).toContain("4,098 bytes of at most 4,096");
  });
});

describe("the form of a draft", () => {
  it("is saved as it was read", () => {
    expect(bodyOf(fieldsOf(DRAFT))).toEqual({
      title: DRAFT.title,
      status: "draft",
      domain: null,
      tags: ["review", "cheap"],
    });
    expect(bodyOf({ ...fieldsOf(), text: " New ", tags: "a, , b" })).toEqual({
      title: "New",
      status: "idea",
      domain: null,
      tags: ["a", "b"],
    });
  });

  it("has no tags if what is stored is no list", () => {
    expect(tagsOf({ tags: "{}" })).toEqual([]);
    expect(tagsOf({ tags: "broken" })).toEqual([]);
    expect(tagsOf({ tags: null })).toEqual([]);
  });
});

describe("the task that a draft becomes", () => {
  it("starts with the draft's text and project", () => {
    expect(taskOf(DRAFT, "octopoid")).toMatchObject({
      title: "Ask for a second opinion",
      content: "Before a person\nsees it.",
      project: "parser",
      flow: "octopoid",
    });
  });

  it("has what the server requires, and a content", () => {
    const fields = { ...taskOf(DRAFT, ""), content: "  ", project: "" };
    const body = JSON.parse(JSON.stringify(promotion(fields, "abc", "s"))) as object;
    expect(body).toEqual({
      to: "task",
      id: "abc",
      file_path: "tasks/abc.md",
      scope: "s",
      title: "Ask for a second opinion",
      content: "Ask for a second opinion",
      priority: "P2",
      branch: "main",
    });
  });

  it("gets an id of eight hexadecimal digits", () => {
    expect(randomId()).toMatch(/^[0-9a-f]{8}$/);
    expect(randomId()).not.toBe(randomId());
  });
});
