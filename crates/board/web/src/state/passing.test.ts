import { beforeAll, expect, test, vi } from "vitest";

import type { Usage } from "../api/types";
import type { Listener, PassingEvent } from "../live/events";
import { latestOf, startPassing } from "./passing";

let listener: Listener;

vi.mock("../live/live", () => ({ listen: (given: Listener) => (listener = given) }));

beforeAll(() => startPassing());

function report(type: string, details: object): void {
  const subject = { kind: "task", id: "t1" };
  listener.onPassing?.({ type, at: "2026-11-26T12:00:00Z", subject, details } as PassingEvent);
}

const read = { progress: { at: "", message: "begun" }, usage: { input_tokens: 1 } as Usage };

test("a report replaces what was read of the same run, part by part", () => {
  expect(latestOf("t1", 2, read)).toEqual({ ...read, leaseEnd: undefined });
  report("task.renewed", { run: 2, lease_expires_at: "2026-11-26T12:05:00Z" });
  expect(latestOf("t1", 2, read)).toEqual({ ...read, leaseEnd: "2026-11-26T12:05:00Z" });
  report("task.progress", { run: 2, message: "testing", percent: 40 });
  const latest = latestOf("t1", 2, read);
  expect(latest.progress).toMatchObject({ message: "testing", percent: 40 });
  expect(latest.usage).toEqual(read.usage);
  expect(latest.leaseEnd).toBe("2026-11-26T12:05:00Z");
});

test("a report of another run, or without a run, replaces nothing", () => {
  report("task.progress", { run: 3, message: "another run" });
  expect(latestOf("t1", 2, read)).toEqual({ ...read, leaseEnd: undefined });
  expect(latestOf("t1", undefined, read)).toEqual({ ...read, leaseEnd: undefined });
});
