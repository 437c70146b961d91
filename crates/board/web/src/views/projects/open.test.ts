import { expect, test } from "vitest";

import type { TaskList } from "../../api/types";
import { openWords } from "./open";

function list(queues: string[], next_cursor?: string): TaskList {
  return { tasks: queues.map((queue) => ({ queue })), next_cursor } as unknown as TaskList;
}

test("the open tasks of a whole list are counted", () => {
  expect(openWords(list(["incoming", "done", "claimed"]))).toBe("2 tasks of it are open.");
  expect(openWords(list(["incoming", "cancelled"]))).toBe("1 task of it is open.");
  expect(openWords(list(["done", "failed"]))).toBe("");
  expect(openWords(undefined)).toBe("");
});

test("if the list has more pages, the number is a minimum", () => {
  expect(openWords(list(["incoming", "done"], "next"))).toBe("At least 1 task of it is open.");
  expect(openWords(list(["done", "done"], "next"))).toBe(
    "More than 2 tasks belong to it; some may be open.",
  );
});
