import { expect, test } from "vitest";

import type { Flow, Reason, Task, Why } from "../../api/types";
import { nextOf } from "./next";
import { openQueues, queuesOf, stepsOf } from "./steps";

const task = (more: Partial<Task>) => ({ id: "t", queue: "incoming", ...more }) as Task;
const why = (...reasons: Partial<Reason>[]) =>
  ({ claimable: reasons.length === 0, reasons }) as Why;

test("the sentence says what happens next", () => {
  const text = (of: Task, known?: Why) => nextOf(of, known).text;
  expect(text(task({ queue: "provisional" }), why())).toBe("Waits for your review");
  expect(text(task({ queue: "provisional" }), why({ code: "held", holder: "r-1" }))).toBe(
    "r-1 reviews it; you may decide as well",
  );
  const held = { queue: "claimed", claimed_by: "slot-1", orchestrator_id: "box-3" };
  expect(text(task(held))).toBe("slot-1 works on it on box-3");
  const stopped = task({ ...held, cancel_requested_at: "2026-11-22T00:00:00.000Z" });
  expect(text(stopped)).toBe("Will be cancelled when slot-1 stops");
  expect(text(task({}), why())).toBe("The next free agent that fits gets it");
  expect(text(task({}), why({ code: "awaiting_input", text: "x" }))).toBe("Waits for your answer");
  expect(text(task({}), why({ code: "paused", text: "anthropic is paused" }))).toBe(
    "anthropic is paused",
  );
});

test("what is delayed says until when, and what waits says for which task", () => {
  const delayed = why({ code: "not_before", until: "2026-11-22T00:00:42.000Z" });
  expect(nextOf(task({ failure_count: 1 }), delayed)).toEqual({
    text: "Will be tried again",
    until: "2026-11-22T00:00:42.000Z",
  });
  expect(nextOf(task({ failure_count: 0 }), delayed).text).toBe("Will be handed out");
  const blocked = why({ code: "waits_for", text: "It waits for task b", task_id: "b" });
  expect(nextOf(task({}), blocked)).toEqual({ text: "It waits for task b", taskId: "b" });
});

test("the steps are those that the queue allows", () => {
  const steps = (queue: string, cancel: string | null = null) =>
    stepsOf({ queue, cancel_requested_at: cancel });
  expect(steps("provisional")).toEqual(["accept", "reject", "cancel", "force-queue"]);
  expect(steps("claimed", "2026-11-22T00:00:00.000Z")).toEqual(["requeue"]);
  expect(steps("failed")).toContain("retry");
  expect(steps("merging")).toEqual(["cancel", "force-queue"]);
});

test("a task is moved to the queues of its flow", () => {
  const flow = { name: "f", states: '["incoming","claimed","approved","done"]' };
  const flows = [flow as Flow];
  expect(queuesOf({ queue: "approved", flow: "f" }, flows)).toEqual(["incoming", "done"]);
  expect(queuesOf({ queue: "done", flow: null }, flows)).toContain("provisional");
  expect(openQueues(flows)).toContain("approved");
  expect(openQueues(flows)).not.toContain("done");
});
