import { expect, test } from "vitest";

import type { HistoryEvent, Message, Run } from "../../api/types";
import { storyOf } from "./story";

const at = (second: number) => `2026-11-22T00:00:${String(second).padStart(2, "0")}.000Z`;

function event(id: number, name: string, second: number, more: Partial<HistoryEvent> = {}) {
  const defaults = { task_id: "t", agent: null, details: null };
  return { id, event: name, timestamp: at(second), ...defaults, ...more } as HistoryEvent;
}

const run = {
  run: 1,
  started_at: at(2),
  ended_at: at(10),
  orchestrator_id: "home-laptop",
  summary: "Done.",
} as Run;

const message = (type: string, second: number) =>
  ({
    id: `m${second}`,
    type,
    from_actor: "ada",
    to_actor: "agent",
    content: "no",
    created_at: at(second),
  }) as Message;

test("the story has events, runs and messages in the order of time", () => {
  const events = [
    event(1, "created", 1),
    event(2, "claimed", 2, { agent: "slot-1" }),
    event(3, "submitted", 10, { agent: "slot-1" }),
    event(4, "rejected", 20, { agent: "ada", details: "no" }),
  ];
  const story = storyOf(events, [run], [message("comment", 5), message("rejection", 20)]);
  expect(story.map(({ words, who, after }) => [words, who, after])).toEqual([
    ["created", "", undefined],
    ["claimed", "slot-1", 1_000],
    ["wrote to agent", "ada", 3_000],
    ["submitted", "slot-1", 5_000],
    ["rejected", "ada", 10_000],
  ]);
  expect(story[1]).toMatchObject({ run: 1, machine: "home-laptop", took: undefined });
  expect(story[3]).toMatchObject({ run: 1, machine: "", took: 8_000, text: "Done." });
  expect(story[4]).toMatchObject({ text: "no", kind: "failed" });
});

test("the details of an event are said in words", () => {
  const details = JSON.stringify({ reason: "crash", message: "exit code 139", to: "incoming" });
  const [failed] = storyOf([event(1, "failed", 1, { details })], [], []);
  expect(failed).toMatchObject({ text: "crash: exit code 139", words: "attempt failed" });
  const asked = JSON.stringify({ reason: "needs_input", message: "Which port?", to: "incoming" });
  const story = storyOf([event(1, "failed", 1, { details: asked })], [], []);
  expect(story[0]).toMatchObject({
    words: "asked a person",
    kind: "needs-you",
    text: "Which port?",
  });
  const plain = storyOf([event(1, "failed", 1, { details: "out of memory" })], [], []);
  expect(plain[0]).toMatchObject({ words: "failed", text: "out of memory" });
});

test("events of the same instant keep their order", () => {
  const names = ["created", "claimed", "cancelled"];
  const story = storyOf(
    names.map((name, index) => event(index, name, 1)),
    [],
    [],
  );
  expect(story.map(({ words }) => words)).toEqual(names);
});
