import { expect, test } from "vitest";

import type { Task } from "../../api/types";
import { changesOf, merged } from "./edit";

const task = (title: string, content: string | null, priority: string | null) =>
  ({ title, content, priority }) as Task;

test("only what was changed is sent, and an empty field is none", () => {
  const base = task("a", "text", "P1");
  expect(changesOf(base, { title: "a", content: "text", priority: "P1" })).toEqual({});
  expect(changesOf(base, { title: "b", content: "", priority: "P1" })).toEqual({
    title: "b",
    content: null,
  });
});

test("after a conflict, the rest is taken from what another has written", () => {
  const base = task("a", "text", "P1");
  const mine = { title: "mine", content: "text", priority: "P1" };
  const now = task("theirs", "longer text", null);
  const fields = merged(mine, base, now);
  expect(fields).toEqual({ title: "mine", content: "longer text", priority: "" });
  expect(changesOf(now, fields)).toEqual({ title: "mine" });
});
