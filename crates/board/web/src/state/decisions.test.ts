import { beforeEach, expect, test } from "vitest";

import type { Flow } from "../api/types";
import { serve, type Asked } from "../test/server";
import { accept, decide, dismissNotice, nextAfterReview, noticeOf, reject } from "./decisions";
import { forgetQueries } from "./queries";
import { liveStatus } from "../live/live";
import { chooseScope, keepName } from "./session";

const task = { id: "t1", version: 3, queue: "provisional", flow: "octopoid" };
const TASK = "/api/v1/tasks/t1";

const flows = [
  { name: "octopoid", transitions: '[{"from":"provisional","to":"approved"}]' },
  { name: "default", transitions: '[{"from":"provisional","to":"done"}]' },
];

beforeEach(() => {
  forgetQueries();
  dismissNotice("t1");
  chooseScope("s");
  keepName("ana");
  liveStatus.value = "live";
});

function flowAnd(answers: Parameters<typeof serve>[0]): Asked[] {
  return serve({ "GET /api/v1/flows": () => ({ body: { flows } }), ...answers });
}

test("accepted work goes on to the next hand of its flow", async () => {
  const asked = flowAnd({ [`POST ${TASK}/accept`]: () => ({ body: { ...task, version: 4 } }) });
  expect(await accept(task)).toMatchObject({ version: 4 });
  const last = asked.at(-1);
  expect(last?.body).toEqual({ accepted_by: "ana", queue: "approved" });
  expect(last?.headers.get("if-match")).toBe('"v3"');
  expect(last?.headers.get("idempotency-key")).toMatch(/^[0-9a-f]{32}$/);
});

test("without such a step, or another queue, accepted work is done", () => {
  const known = flows as unknown as Flow[];
  expect(nextAfterReview({ ...task, flow: "default" }, known)).toBeUndefined();
  expect(nextAfterReview({ ...task, flow: "unknown" }, known)).toBeUndefined();
  expect(nextAfterReview({ ...task, queue: "approved" }, known)).toBeUndefined();
});

test("a decision is shown before it is answered, and only for the version that was decided", async () => {
  let answer: (() => void) | undefined;
  const waits = new Promise<void>((resolve) => (answer = resolve));
  flowAnd({
    [`POST ${TASK}/reject`]: async () => {
      await waits;
      return { body: { ...task, version: 4 } };
    },
  });
  const sent = reject(task, "tests missing");
  expect(noticeOf(task)).toMatchObject({ kind: "pending", text: "rejecting…" });
  answer?.();
  await sent;
  expect(noticeOf(task)).toMatchObject({ kind: "done", text: "rejected" });
  expect(noticeOf({ ...task, version: 5 })).toBeUndefined();
});

test("a conflict says what the other client did", async () => {
  const events = [
    { event: "created", agent: null, details: null },
    { event: "rejected", agent: "bo", details: '{"reason":"too slow"}' },
  ];
  flowAnd({
    [`POST ${TASK}/requeue`]: () => ({ status: 412, body: { error: "version 4" } }),
    [`GET ${TASK}`]: () => ({ body: { ...task, queue: "incoming", version: 4 } }),
    [`GET ${TASK}/history`]: () => ({ body: { events } }),
  });
  expect(await decide(task, "requeue", {})).toBeUndefined();
  expect(noticeOf({ ...task, version: 4 })).toEqual({
    kind: "refused",
    text: "Changed meanwhile: rejected by bo: too slow",
    version: 4,
  });
});

test("a refusal that is no conflict is said in the words of the server", async () => {
  flowAnd({ [`POST ${TASK}/cancel`]: () => ({ status: 403, body: { error: "forbidden" } }) });
  await decide(task, "cancel", {});
  expect(noticeOf(task)).toMatchObject({ kind: "refused", text: "forbidden" });
});

test("work is not accepted while its flow cannot be read", async () => {
  const refusal = { status: 503, body: { error: "Too much" } };
  const asked = serve({ "GET /api/v1/flows": () => refusal });
  expect(await accept(task)).toBeUndefined();
  expect(noticeOf(task)).toMatchObject({ kind: "refused", text: "Too much" });
  expect(asked.map(({ method }) => method)).toEqual(["GET"]);
});
