import { expect, it } from "vitest";

import type { Action, ListedTask } from "../../api/types";
import { unasked } from "../now/queries";
import { endedSince, endWords, resultText } from "./queries";

const NOW = Date.parse("2026-11-26T12:00:00.000Z");

function action(more: Partial<Action>): Action {
  return {
    id: "act-1",
    entity_type: "task",
    entity_id: "t1",
    action_type: "question",
    label: "Which port?",
    status: "completed",
    proposed_by: "slot-1",
    proposed_at: "2026-11-26T11:00:00.000Z",
    scope: "s",
    ...more,
  } as Action;
}

it("shows what is no longer open and was asked in the last day", () => {
  const actions = [
    action({ id: "open", status: "proposed" }),
    action({ id: "new" }),
    action({ id: "old", proposed_at: "2026-11-25T11:00:00.000Z" }),
  ];
  expect(endedSince(actions, NOW).map(({ id }) => id)).toEqual(["new"]);
});

it("says what became of questions and proposals", () => {
  expect(endWords(action({}))).toBe("answered");
  expect(endWords(action({ status: "failed" }))).toBe("closed");
  const proposal = { action_type: "proposal" };
  expect(endWords(action({ ...proposal }))).toBe("carried out");
  expect(endWords(action({ ...proposal, status: "failed", result: "denied" }))).toBe("denied");
  expect(endWords(action({ ...proposal, status: "failed", result: "no disk" }))).toBe("failed");
  expect(endWords(action({ ...proposal, status: "execute_requested" }))).toBe("approved");
  expect(endWords(action({ status: "expired" }))).toBe("expired");
});

it("shows results as text, whether or not they are JSON", () => {
  expect(resultText(action({ result: '"8080"' }))).toBe("8080");
  expect(resultText(action({ result: "Use 8080" }))).toBe("Use 8080");
  expect(resultText(action({ result: '{"port":8080}' }))).toBe('{"port":8080}');
  expect(resultText(action({ result: null }))).toBe("");
});

it("shows a flagged task once: not beside its question, nor beside its review", () => {
  const tasks = [
    { id: "t1", queue: "incoming" },
    { id: "t2", queue: "provisional" },
    { id: "t3", queue: "incoming" },
  ] as ListedTask[];
  expect(unasked(tasks, [action({})]).map(({ id }) => id)).toEqual(["t3"]);
});
