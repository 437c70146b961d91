import { beforeEach, expect, test } from "vitest";

import type { ListedTask } from "../../api/types";
import type { StoredEvent } from "../../live/events";
import { liveStatus } from "../../live/live";
import { chooseScope } from "../../state/session";
import { serve, until, type Asked } from "../../test/server";
import { filterOf } from "./filter";
import { Rows } from "./list";

let all: ListedTask[];
let asked: Asked[];

function task(number: number, more: Partial<ListedTask> = {}): ListedTask {
  const fields = { id: `t${number}`, title: `Task ${number}`, queue: "incoming", version: 1 };
  return { ...fields, ...more } as ListedTask;
}

/** Answers as the server does: by cursor or offset, with reasons if they are asked for. */
function list({ url }: Asked) {
  const { searchParams } = url;
  const queues = searchParams.get("queue")?.split(",");
  const matching = all.filter(({ queue }) => !queues || queues.includes(queue));
  const cursor = searchParams.get("cursor");
  const isDetailed = searchParams.has("include");
  const limit = Math.min(Number(searchParams.get("limit")), isDetailed ? 100 : 500);
  const first = cursor
    ? matching.findIndex(({ id }) => id === cursor) + 1
    : Number(searchParams.get("offset") ?? 0);
  const page = matching.slice(first, first + limit);
  const tasks = page.map((row) => (isDetailed ? { ...row, waiting: null, last_run: null } : row));
  const next_cursor = first + limit < matching.length ? page.at(-1)?.id : null;
  return { body: { tasks, total: cursor ? null : matching.length, next_cursor } };
}

function event(id: string, queue: string, version: number, type = "task.claimed"): StoredEvent {
  return { id: `e${version}`, type, subject: { kind: "task", id }, queue, version } as StoredEvent;
}

/** Holds answers back until it is opened. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

async function listed(filter = "", count = 2_000): Promise<Rows> {
  all = Array.from({ length: count }, (_, number) => task(count - number));
  const rows = new Rows(filterOf(new URLSearchParams(filter)));
  await rows.reload();
  return rows;
}

beforeEach(() => {
  chooseScope("s");
  liveStatus.value = "live";
  asked = serve({ "GET /api/v1/tasks": list });
});

test("one request shows the first rows with all that is said of them", async () => {
  const rows = await listed();
  expect(asked).toHaveLength(1);
  expect(asked[0]?.url.search).toBe("?scope=s&limit=100&include=waiting%2Crun");
  expect(rows.rows.value).toHaveLength(100);
  expect(rows.total.value).toBe(2_000);
  expect(rows.rows.value[0]?.waiting).toBeNull();
});

test("pages are read as far as the user scrolls, and details of the rows in sight", async () => {
  const rows = await listed();
  rows.see({ first: 1_200, last: 1_240 });
  await until(() => rows.rows.value[1_239]?.waiting === null);
  expect(rows.rows.value).toHaveLength(1_600);
  const details = asked.filter(({ url }) => url.searchParams.has("offset"));
  expect(details.map(({ url }) => url.searchParams.get("offset"))).toEqual(["1200"]);
  expect(rows.rows.value[700]?.waiting).toBeUndefined();
  rows.see({ first: 1_960, last: 2_012 });
  await until(() => rows.isWhole.value && rows.rows.value.at(-1)?.waiting === null);
  expect(new Set(rows.rows.value.map(({ id }) => id)).size).toBe(2_000);
});

test("a row changes in place, at once and then by what the server says", async () => {
  const rows = await listed("queue=incoming", 5);
  all[2] = task(3, { queue: "claimed", version: 2, claimed_by: "slot-1" });
  rows.onEvent({ ...event("t3", "claimed", 2), actor: "slot-1" });
  expect(rows.get("t3")).toMatchObject({ queue: "claimed", claimed_by: "slot-1", version: 2 });
  expect(rows.rows.value.map(({ id }) => id)).toEqual(["t5", "t4", "t3", "t2", "t1"]);
  await until(() => rows.total.value === 4);
  expect(rows.rows.value).toHaveLength(5);
  rows.onEvent(event("t3", "incoming", 1));
  expect(rows.get("t3")?.queue).toBe("claimed");
});

test("new tasks are counted, and shown only when nothing points at the rows", async () => {
  const rows = await listed("", 150);
  all.unshift(task(151), task(152));
  rows.onEvent(event("t151", "incoming", 1, "task.created"));
  await until(() => rows.news.value === 2);
  expect(rows.rows.value[0]?.id).toBe("t150");
  expect(rows.total.value).toBe(152);
  rows.isCalm = () => true;
  rows.onEvent(event("t152", "incoming", 1, "task.created"));
  await until(() => rows.news.value === 0);
  expect(rows.rows.value.slice(0, 3).map(({ id }) => id)).toEqual(["t151", "t152", "t150"]);
});

test("rows that leave a calm list are taken away", async () => {
  const rows = await listed("queue=incoming", 3);
  rows.isCalm = () => true;
  all[1] = task(2, { queue: "done", version: 2 });
  rows.onEvent(event("t2", "done", 2, "task.accepted"));
  await until(() => rows.rows.value.length === 2);
});

test("an event that cannot concern the list reads nothing", async () => {
  const rows = await listed("queue=failed", 3);
  const before = asked.length;
  rows.onEvent(event("t9", "claimed", 1));
  rows.onEvent({ ...event("d1", "", 1), subject: { kind: "draft", id: "d1" } } as StoredEvent);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(asked).toHaveLength(before);
});

test("what the server refuses is said, and can be tried again", async () => {
  const rows = await listed("", 3);
  serve({ "GET /api/v1/tasks": () => ({ status: 400, body: { error: "Invalid search" } }) });
  await rows.reload();
  expect(rows.error.value?.message).toBe("Invalid search");
  expect(rows.rows.value).toHaveLength(3);
  serve({ "GET /api/v1/tasks": list });
  await rows.reload();
  expect(rows.error.value).toBeUndefined();
});

test("rows that are not read yet are no news", async () => {
  const rows = await listed();
  const page = gate();
  serve({
    "GET /api/v1/tasks": async (request) => {
      const { searchParams } = request.url;
      if (searchParams.has("cursor")) await page.opened;
      // By its total, the test knows that the rows in sight have been read again.
      if (Number(searchParams.get("offset")) > 0) all.push(task(0));
      return list(request);
    },
  });
  rows.see({ first: 1_200, last: 1_240 });
  rows.onEvent(event("t1990", "incoming", 2, "task.updated"));
  await until(() => rows.total.value === 2_001);
  expect(rows.rows.value).toHaveLength(100);
  expect(rows.news.value).toBe(0);
  page.open();
  await until(() => rows.rows.value.length === 1_600);
});

test("a list that begins again while a page is read has no gap", async () => {
  const rows = await listed();
  rows.see({ first: 500, last: 540 });
  await until(() => rows.rows.value.length === 600);
  const top = gate();
  const pages = [gate(), gate()];
  let count = 0;
  serve({
    "GET /api/v1/tasks": async (request) => {
      const { searchParams } = request.url;
      if (searchParams.has("cursor")) await pages[count++]?.opened;
      else if (!searchParams.has("offset")) await top.opened;
      return list(request);
    },
  });
  rows.see({ first: 1_200, last: 1_240 });
  await until(() => count === 1);
  const reloaded = rows.reload();
  pages[0]?.open();
  // The page was given up, and is asked for again. Its answer comes after the list's first rows.
  await until(() => count === 2);
  top.open();
  await reloaded;
  expect(rows.rows.value).toHaveLength(100);
  pages[1]?.open();
  await until(() => rows.rows.value.length > 1_240);
  const ids = rows.rows.value.map(({ id }) => id);
  expect(ids).toEqual(all.slice(0, ids.length).map(({ id }) => id));
});

test("a page that could not be read is read with the next change", async () => {
  const rows = await listed();
  const refuse = () => ({ status: 503, body: { error: "The database is busy" } });
  serve({ "GET /api/v1/tasks": refuse });
  rows.see({ first: 1_200, last: 1_240 });
  await until(() => rows.error.value?.status === 503);
  serve({ "GET /api/v1/tasks": list });
  rows.onEvent(event("t1990", "incoming", 2, "task.updated"));
  await until(() => rows.rows.value.length === 1_600);
  expect(rows.error.value).toBeUndefined();
});

test("a task that is read after it was announced is no longer news", async () => {
  const rows = await listed("", 150);
  all.unshift(task(151));
  rows.onEvent(event("t151", "incoming", 1, "task.created"));
  await until(() => rows.news.value === 1);
  // Another priority moves it to the end.
  all.push(all.shift()!);
  rows.see({ first: 100, last: 150 });
  await until(() => rows.isWhole.value);
  expect(rows.get("t151")).toBeDefined();
  expect(rows.news.value).toBe(0);
});

test("pages without a match are not read for ever", async () => {
  asked = serve({
    "GET /api/v1/tasks": ({ url }) => ({
      body: { tasks: [], total: url.searchParams.has("cursor") ? null : 0, next_cursor: "more" },
    }),
  });
  const rows = new Rows(filterOf(new URLSearchParams("search=x")));
  await rows.reload();
  expect(asked).toHaveLength(3);
  expect(rows.isWeary.value).toBe(true);
  rows.lookFurther();
  await until(() => asked.length === 6);
});
