import { beforeEach, expect, test } from "vitest";

import type { Flow } from "../api/types";
import { chooseScope, keepName } from "../state/session";
import { serve, type Answer, type Asked } from "../test/server";
import { changeNamed, planOf, refusalsOf } from "./changes";
import { queuesFor, rulesOf } from "./flows";
import { Job } from "./job";
import type { Target } from "./targets";

beforeEach(() => {
  chooseScope("s");
  keepName("ana");
});

const flows = [
  {
    name: "octopoid",
    states: '["incoming","claimed","provisional","approved","done"]',
    transitions: '[{"from":"claimed","to":"incoming"},{"from":"approved","to":"incoming"}]',
    child_flow: null,
  },
] as unknown as Flow[];

function target(id: string, more: Partial<Target> = {}): Target {
  return { id, title: id, queue: "incoming", version: 1, flow: "octopoid", ...more } as Target;
}

function tasks(count: number, from = 0): Target[] {
  return Array.from({ length: count }, (_, index) => {
    const id = `t${from + index}`;
    return target(id, { queue: (from + index) % 500 === 0 ? "done" : "incoming" });
  });
}

/** Lists `count` tasks, 500 a page, and answers each cancel by `answer`. */
function scopeOf(count: number, answer: (asked: Asked) => Answer): Asked[] {
  const all = tasks(count);
  const list = ({ url }: Asked) => {
    const at = Number(url.searchParams.get("cursor") ?? 0);
    const next_cursor = at + 500 < count ? String(at + 500) : null;
    return { body: { tasks: all.slice(at, at + 500), next_cursor } };
  };
  const steps = all.map(({ id }) => [`POST /api/v1/tasks/${id}/cancel`, answer] as const);
  return serve({ "GET /api/v1/tasks": list, ...Object.fromEntries(steps) });
}

const cancelAll = () =>
  new Job(changeNamed("cancel"), {
    kind: "matching",
    query: { queue: "incoming,done", sort: "priority" },
    except: new Set(["t1"]),
  });

test("5,000 tasks are counted by pages, judged, and changed one by one", async () => {
  const asked = scopeOf(5_000, () => ({ body: {} }));
  const job = cancelAll();
  await job.count(async () => []);
  expect(job.phase.value).toBe("ready");
  expect(asked).toHaveLength(10);
  expect(asked[1]?.url.search).toBe("?scope=s&queue=incoming%2Cdone&limit=500&cursor=500");
  expect(job.plan.value.sent).toHaveLength(4_989);
  expect(refusalsOf(job.plan.value)).toEqual([["in the state “done”", 10]]);
  await job.start();
  expect(job.phase.value).toBe("ready");
  job.set({ reason: " not needed " });
  await job.start();
  expect(job.phase.value).toBe("ended");
  expect(job.progress.value).toMatchObject({ changed: 4_989, refused: [] });
  const sent = asked.slice(10);
  expect(new Set(sent.map(({ url }) => url.pathname)).size).toBe(4_989);
  expect(sent[0]?.body).toEqual({ by: "ana", reason: "not needed" });
  expect(sent[0]?.headers.get("if-match")).toBe('"v1"');
});

test("a request that is sent again has the same idempotency key", async () => {
  let isFirst = true;
  const asked = scopeOf(3, () => {
    if (!isFirst) return { body: {} };
    isFirst = false;
    const headers = { "Retry-After": "0" };
    return new Response('{"error":"busy"}', { status: 503, headers });
  });
  const job = cancelAll();
  await job.count(async () => []);
  job.set({ reason: "x" });
  await job.start();
  const steps = asked.filter(({ method }) => method === "POST");
  expect(steps).toHaveLength(2);
  expect(steps[1]?.headers.get("idempotency-key")).toBe(steps[0]?.headers.get("idempotency-key"));
  expect(job.progress.value).toMatchObject({ changed: 1, refused: [] });
});

test("a job ends when another scope is shown", async () => {
  const asked = scopeOf(200, () => {
    chooseScope("another");
    return { body: {} };
  });
  const job = cancelAll();
  await job.count(async () => []);
  job.set({ reason: "x" });
  await job.start();
  expect(job.phase.value).toBe("ended");
  expect(job.left).toBeGreaterThan(150);
  const scopes = asked.map(({ url }) => url.searchParams.get("scope"));
  expect(new Set(scopes)).toEqual(new Set(["s"]));
});

test("what cannot be counted is said", async () => {
  const body = { error: "Invalid value for queue" };
  serve({ "GET /api/v1/tasks": () => ({ status: 400, body }) });
  const job = cancelAll();
  await job.count(async () => []);
  expect(job.problem.value).toBe("Invalid value for queue");
});

test("flows say what is refused", () => {
  const rules = rulesOf(flows);
  const all = [
    target("a", { queue: "claimed", claimed_by: "slot-1" }),
    target("b", { queue: "provisional" }),
    target("c", { queue: "provisional", flow: "default" }),
    target("d", { queue: "approved" }),
  ];
  const values = { reason: "", queue: "approved", priority: "P0" };
  const requeue = planOf(changeNamed("requeue"), all, values, rules);
  expect(requeue.sent.map(({ id }) => id)).toEqual(["a", "c", "d"]);
  expect(requeue.held).toBe(1);
  expect(refusalsOf(requeue)).toEqual([["in the state “in review”", 1]]);
  const move = planOf(changeNamed("move"), all, values, rules);
  expect([move.sent.length, move.same, move.refused.length]).toEqual([3, 1, 0]);
  expect(queuesFor(all, rules)).toEqual(["incoming", "provisional", "approved", "done", "failed"]);
  const elsewhere = planOf(changeNamed("move"), all, { ...values, queue: "shipped" }, rules);
  expect(elsewhere.refused).toHaveLength(3);
  expect(planOf(changeNamed("retry"), all, values, rules).sent).toEqual([]);
  const again = [target("e", { queue: "failed" }), target("f", { queue: "cancelled" })];
  expect(planOf(changeNamed("retry"), again, values, rules).sent).toHaveLength(2);
  expect(planOf(changeNamed("cancel"), again, values, rules)).toMatchObject({ same: 1 });
  const urgent = [target("g", { priority: "P0" }), target("h", { priority: "P2" })];
  expect(planOf(changeNamed("priority"), urgent, values, rules)).toMatchObject({ same: 1 });
});
