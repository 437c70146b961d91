import { expect, it } from "vitest";

import type { StoredEvent } from "../../live/events";
import { detailWords, movedTo, pageOf, subjectWords, whatWords } from "./words";

function event(type: string, id: string, more: Partial<StoredEvent> = {}): StoredEvent {
  const kind = type.slice(0, type.indexOf("."));
  return { id: "e1", type, at: "2026-11-26T12:00:00.000Z", subject: { kind, id }, ...more };
}

it("says what happened, and where a task went", () => {
  const failed = event("task.failed", "t1", {
    queue: "incoming",
    details: '{"reason":"crash","message":"signal 11","retry":"auto","to":"incoming"}',
  });
  expect(whatWords(failed)).toBe("failed");
  expect(movedTo(failed)).toBe("incoming");
  expect(detailWords(failed)).toBe("crash: signal 11");
  const to = { queue: "approved", details: '{"to":"approved"}' };
  const accepted = event("task.accepted", "t1", to);
  expect(detailWords(accepted)).toBe("");
  const fields = { queue: "incoming", details: '{"fields":["title","role"]}' };
  const edited = event("task.edited", "t1", fields);
  expect(movedTo(edited)).toBeUndefined();
  expect(detailWords(edited)).toBe("fields title, role");
  expect(whatWords(event("pause.deleted", "scope"))).toBe("ended");
});

it("shows reasons as they are, also if they look like JSON", () => {
  const reason = (details: string) => detailWords(event("task.rejected", "t1", { details }));
  expect(reason("Tests are missing")).toBe("Tests are missing");
  expect(reason("404")).toBe("404");
  expect(reason("{broken")).toBe("{broken");
});

it("names subjects by what people know them by", () => {
  const titles = new Map([["t1", "Fix the login"]]);
  expect(subjectWords(event("task.created", "t1"), titles)).toBe("Fix the login");
  expect(subjectWords(event("task.created", "t2"), titles)).toBe("task t2");
  expect(subjectWords(event("pause.created", "pool:anthropic"), titles)).toBe("pool anthropic");
  expect(subjectWords(event("orchestrator.registered", "home-laptop"), titles)).toBe(
    "machine home-laptop",
  );
});

it("links to what is still there", () => {
  expect(pageOf(event("task.created", "a/b"))).toBe("/tasks/a%2Fb");
  expect(pageOf(event("draft.deleted", "3"))).toBeUndefined();
  expect(pageOf(event("draft.created", "3"))).toBe("/drafts/3");
  expect(pageOf(event("key.issued", "k"))).toBeUndefined();
});
