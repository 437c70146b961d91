import { beforeEach, expect, test } from "vitest";

import type { ListedTask, Summary } from "../../api/types";
import { chooseScope } from "../../state/session";
import { belongs, chipsOf, filterOf, keyOf, parametersOf, queryOf, toggled } from "./filter";
import { builtIn, forgetView, isSame, savedViews, saveView } from "./saved";

const full =
  "queue=incoming,claimed&priority=P0,P1&role=review&claimed_by=slot-1&project_id=p1" +
  "&claimable=false&needs_intervention=true&search=login%20test&sort=priority";

function of(text: string) {
  return filterOf(new URLSearchParams(text));
}

beforeEach(() => {
  localStorage.clear();
  chooseScope("s");
});

test("a filter survives the way through the address", () => {
  const filter = of(full);
  expect(of(parametersOf(filter).toString())).toEqual(filter);
  expect(queryOf(filter)).toEqual({
    queue: "incoming,claimed",
    priority: "P0,P1",
    role: "review",
    claimed_by: "slot-1",
    project_id: "p1",
    claimable: "false",
    needs_intervention: "true",
    search: "login test",
    sort: "priority",
  });
  expect(parametersOf(of("")).size).toBe(0);
  expect(parametersOf(of("sort=oldest&unknown=1&search=%20")).size).toBe(0);
});

test("the order of values and of parameters is no other filter", () => {
  expect(keyOf(of("role=b,a&queue=x,y"))).toBe(keyOf(of("queue=y,x&role=a,b")));
  expect(isSame("queue=y,x", "queue=x,y")).toBe(true);
  expect(isSame("queue=x", "queue=x&sort=priority")).toBe(false);
});

test("each filter that is set is a chip", () => {
  expect(chipsOf(of(full)).map(({ text }) => text)).toEqual([
    "waiting, running",
    "P0, P1",
    "role review",
    "agent slot-1",
    "project p1",
    "cannot be claimed now",
    "flagged for you",
    "“login test”",
  ]);
  expect(chipsOf(of("sort=priority"))).toEqual([]);
});

test("a value is switched on and off", () => {
  expect(toggled(["a", "b"], "c")).toBe("a,b,c");
  expect(toggled(["a", "b"], "a")).toBe("b");
  expect(toggled(["a"], "a")).toBe("");
});

test("a task that has changed may no longer belong to the list", () => {
  const task = { queue: "claimed", priority: "P1", role: null, claimed_by: "slot-1" } as ListedTask;
  expect(belongs(task, of("queue=claimed&priority=P0,P1"))).toBe(true);
  expect(belongs(task, of("queue=incoming"))).toBe(false);
  expect(belongs(task, of("role=review"))).toBe(false);
  expect(belongs(task, of("claimed_by=slot-2"))).toBe(false);
});

test("the views that everybody has are counted by the summary", () => {
  const summary = {
    queues: { incoming: 5, approved: 2, done: 9 },
    needs_person: { interventions: 1 },
  } as unknown as Summary;
  const views = builtIn(summary);
  const counts = Object.fromEntries(views.map(({ name, count }) => [name, count]));
  expect(counts).toMatchObject({ All: 16, Waiting: 5, Running: 0, Flagged: 1, Done: 9 });
  const needs = views.find(({ name }) => name === "Flagged");
  expect(of(needs?.parameters ?? "").queue).toContain("approved");
  expect(of(needs?.parameters ?? "").queue).not.toContain("done");
  expect(builtIn(undefined)[0]?.count).toBeUndefined();
});

test("saved views are kept by scope, and replaced by name", () => {
  saveView({ name: "mine", parameters: "queue=done" });
  saveView({ name: "other", parameters: "role=review" });
  saveView({ name: "mine", parameters: "queue=failed" });
  expect(savedViews()).toEqual([
    { name: "other", parameters: "role=review" },
    { name: "mine", parameters: "queue=failed" },
  ]);
  chooseScope("another");
  expect(savedViews()).toEqual([]);
  chooseScope("s");
  forgetView("other");
  expect(savedViews().map(({ name }) => name)).toEqual(["mine"]);
  localStorage.setItem("octopoid.views.s", '[{"name":1},null,{"name":"x","parameters":""}]');
  expect(savedViews()).toEqual([{ name: "x", parameters: "" }]);
  localStorage.setItem("octopoid.views.s", "{");
  expect(savedViews()).toEqual([]);
});
