import { expect, test } from "vitest";

import { Selection } from "./selection";

test("single rows are selected and deselected", () => {
  const selection = new Selection();
  expect(selection.isEmpty.value).toBe(true);
  selection.set(["a", "b", "c"], true);
  selection.set(["b"], false);
  expect([selection.has("a"), selection.has("b")]).toEqual([true, false]);
  expect(selection.count(10)).toBe(2);
  selection.clear();
  expect(selection.isEmpty.value).toBe(true);
});

test("all that match are selected, without those that are deselected", () => {
  const selection = new Selection();
  selection.all();
  expect([selection.has("a"), selection.count(4_812)]).toEqual([true, 4_812]);
  selection.set(["a", "b"], false);
  selection.set(["b"], true);
  expect([selection.has("a"), selection.has("b"), selection.count(4_812)]).toEqual([
    false,
    true,
    4_811,
  ]);
  expect(selection.isEmpty.value).toBe(false);
});
