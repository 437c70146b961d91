import { beforeEach, expect, test } from "vitest";

import { showUtc } from "../../state/clock";
import { chooseScope } from "../../state/session";
import { serve } from "../../test/server";
import {
  bodyOf,
  create,
  forgetFields,
  instantOf,
  keepFields,
  keptFields,
  nextFields,
  NOTHING,
} from "./fields";
import { randomId } from "../../api/names";

const fields = { ...NOTHING, title: " Fix it ", content: "Please." };

beforeEach(() => {
  sessionStorage.clear();
  chooseScope("s");
  showUtc(true);
});

test("what is filled in is kept by scope until it is sent", () => {
  keepFields(fields);
  expect(keptFields()).toEqual(fields);
  chooseScope("another");
  expect(keptFields()).toEqual(NOTHING);
  chooseScope("s");
  forgetFields();
  expect(keptFields()).toEqual(NOTHING);
  sessionStorage.setItem("octopoid.new-task.s", "{");
  expect(keptFields()).toEqual(NOTHING);
});

test("the body is that of the command line", () => {
  expect(bodyOf(fields, "0a1b2c3d", "octopoid")).toEqual({
    id: "0a1b2c3d",
    file_path: "tasks/0a1b2c3d.md",
    branch: "main",
    title: "Fix it",
    content: "Please.",
    priority: "P2",
    flow: "octopoid",
  });
  const after = [
    { id: "t1", title: "One" },
    { id: "t2", title: "Two" },
  ];
  const more = { ...fields, after, role: "review", project: "p1", flow: "mine", branch: " " };
  expect(bodyOf({ ...more, notBefore: "2026-11-26T14:02" }, "x", "octopoid")).toMatchObject({
    blocked_by: "t1,t2",
    role: "review",
    project_id: "p1",
    flow: "mine",
    branch: "main",
    not_before: "2026-11-26T14:02:00.000Z",
  });
});

test("an instant is in the zone in which times are shown", () => {
  expect(instantOf("2026-11-26T14:02")).toBe("2026-11-26T14:02:00.000Z");
  expect(instantOf("")).toBeUndefined();
  showUtc(false);
  expect(instantOf("2026-11-26T14:02")).toBe(new Date("2026-11-26T14:02").toISOString());
});

test("an id is eight hexadecimal digits, and another one is tried if it is taken", async () => {
  expect(randomId()).toMatch(/^[0-9a-f]{8}$/);
  let tries = 0;
  const asked = serve({
    "POST /api/v1/tasks": ({ body }) => {
      tries += 1;
      if (tries < 3) return { status: 409, body: { error: "taken", code: "already_exists" } };
      return { status: 201, body };
    },
  });
  const task = await create(fields, undefined);
  expect(task.title).toBe("Fix it");
  expect(new Set(asked.map(({ body }) => (body as { id: string }).id)).size).toBe(3);
  tries = -10;
  await expect(create(fields, undefined)).rejects.toMatchObject({ code: "already_exists" });
});

test("what several tasks share stays for the next one", () => {
  const next = nextFields({ ...fields, role: "review", after: [{ id: "t1", title: "One" }] });
  expect(next).toEqual({ ...NOTHING, role: "review" });
});
