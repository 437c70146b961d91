import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { StoredEvent } from "../../live/events";
import {
  actorsOf,
  arrivedSince,
  cursorsOf,
  eventsAfter,
  filtered,
  KEPT_MAX,
  LatestEvents,
  PAGES_MAX,
} from "./journal";

function event(number: number, more: Partial<StoredEvent> = {}): StoredEvent {
  const subject = { kind: "task", id: `t${number}` };
  const at = "2026-11-26T12:00:00.000Z";
  return { id: `e${number}`, type: "task.created", at, subject, ...more };
}

function numbered(count: number, from = 1): StoredEvent[] {
  return Array.from({ length: count }, (_, index) => event(from + index));
}

/** Answers as the server does, from a journal that a test can extend. */
function serve(journal: StoredEvent[], answer?: (query: URLSearchParams) => Response | undefined) {
  const asked: string[] = [];
  const fetch = vi.fn(async (path: string) => {
    const query = new URL(path, "http://board").searchParams;
    const [cursor, before] = [query.get("cursor"), query.get("before")];
    asked.push(before ? `before ${before}` : (cursor ?? "end"));
    const own = answer?.(query);
    if (own) return own;
    const placeOf = (id: string) => journal.findIndex((known) => known.id === id) + 1;
    const limit = Number(query.get("limit"));
    if (before) {
      const events = journal.slice(Math.max(0, placeOf(before) - limit), placeOf(before)).reverse();
      const first = placeOf(events.at(-1)?.id ?? "") - 2;
      return Response.json({ events, next_cursor: journal[first]?.id ?? "start" });
    }
    const from = cursor === "0" ? 0 : placeOf(cursor ?? "");
    const events = cursor === null ? [] : journal.slice(from, from + limit);
    const last = cursor === null ? journal.at(-1) : events.at(-1);
    return Response.json({ events, next_cursor: last?.id ?? cursor ?? "start" });
  });
  vi.stubGlobal("fetch", fetch);
  return asked;
}

let leave = () => {};

function follow(): LatestEvents {
  const latest = new LatestEvents();
  leave = latest.follow();
  return latest;
}

beforeEach(() => vi.unstubAllGlobals());
afterEach(() => leave());

describe("the latest events", () => {
  it("are read backwards, and older ones when they are asked for", async () => {
    const asked = serve(numbered(700));
    const latest = follow();
    await vi.waitFor(() => expect(latest.isRead.value).toBe(true));
    expect(latest.events.value.length).toBe(500);
    expect(latest.events.value[0]?.id).toBe("e201");
    expect(latest.events.value.at(-1)?.id).toBe("e700");
    expect(latest.isWhole.value).toBe(false);
    latest.readOlder();
    await vi.waitFor(() => expect(latest.isWhole.value).toBe(true));
    expect(latest.events.value.length).toBe(700);
    expect(latest.events.value[0]?.id).toBe("e1");
    expect(asked).toEqual(["end", "before e700", "before e200", "before start"]);
  });

  it("are read on after a gap, each once", async () => {
    const journal = numbered(3);
    serve(journal);
    const latest = follow();
    await vi.waitFor(() => expect(latest.isRead.value).toBe(true));
    journal.push(...numbered(2, 4));
    latest.read();
    latest.read();
    await vi.waitFor(() => expect(latest.events.value.length).toBe(5));
    expect(latest.events.value.map(({ id }) => id)).toEqual(["e1", "e2", "e3", "e4", "e5"]);
  });

  it("are kept up to a number, and what is before them is known", async () => {
    const journal = numbered(KEPT_MAX);
    serve(journal);
    const latest = follow();
    await vi.waitFor(() => expect(latest.isRead.value).toBe(true));
    while (!latest.isWhole.value) {
      const { length } = latest.events.value;
      latest.readOlder();
      const isMore = () => latest.events.value.length > length || latest.isWhole.value;
      await vi.waitFor(() => expect(isMore()).toBe(true));
    }
    journal.push(...numbered(100, KEPT_MAX + 1));
    latest.read();
    await vi.waitFor(() => expect(latest.events.value.at(-1)?.id).toBe(`e${KEPT_MAX + 100}`));
    expect(latest.events.value.length).toBe(KEPT_MAX);
    expect(latest.events.value[0]?.id).toBe("e101");
    expect(latest.start).toBe("e100");
    expect(latest.isWhole.value).toBe(false);
  });

  it("are found behind many of other scopes, up to a number of requests", async () => {
    let page = 0;
    const asked = serve([], (query) => {
      if (!query.has("before")) return Response.json({ events: [], next_cursor: "end" });
      page += 1;
      return Response.json({ events: page === 3 ? [event(1)] : [], next_cursor: `c${page}` });
    });
    const latest = follow();
    await vi.waitFor(() => expect(latest.isRead.value).toBe(true));
    expect(asked.length).toBe(PAGES_MAX + 1);
    expect(latest.events.value.map(({ id }) => id)).toEqual(["e1"]);
    expect(latest.isWhole.value).toBe(false);
  });

  it("are read again if those that follow are no longer kept", async () => {
    const journal = numbered(3);
    let isGone = false;
    const gone = { error: "Gone", code: "events_gone" };
    serve(journal, (query) =>
      isGone && query.has("cursor") ? Response.json(gone, { status: 410 }) : undefined,
    );
    const latest = follow();
    await vi.waitFor(() => expect(latest.isRead.value).toBe(true));
    journal.splice(0, 3, ...numbered(2, 8));
    isGone = true;
    latest.read();
    await vi.waitFor(() => expect(latest.events.value.at(-1)?.id).toBe("e9"));
    expect(latest.events.value.map(({ id }) => id)).toEqual(["e8", "e9"]);
    expect(latest.error.value).toBeUndefined();
  });

  it("show why they could not be read, and are read again", async () => {
    let isDown = true;
    const refusal = { error: "Too much", code: "overloaded" };
    serve(numbered(1), () => (isDown ? Response.json(refusal, { status: 503 }) : undefined));
    const latest = follow();
    await vi.waitFor(() => expect(latest.error.value?.message).toBe("Too much"));
    isDown = false;
    latest.read();
    await vi.waitFor(() => expect(latest.events.value.length).toBe(1));
    expect(latest.error.value).toBeUndefined();
  });
});

it("finds what has arrived since events were held, also if those are gone", () => {
  const ids = (events: readonly StoredEvent[]) => events.map(({ id }) => id);
  expect(ids(arrivedSince(numbered(3), numbered(5)))).toEqual(["e4", "e5"]);
  expect(arrivedSince(numbered(3), numbered(3))).toEqual([]);
  expect(ids(arrivedSince([], numbered(2)))).toEqual(["e1", "e2"]);
  expect(ids(arrivedSince(numbered(1), numbered(2, 7)))).toEqual(["e7", "e8"]);
});

describe("a place of the journal", () => {
  it("begins a few events before the one that is named", () => {
    const events = numbered(30);
    const cursorOf = cursorsOf(events, "0");
    expect(cursorOf("e30")).toBe("e19");
    expect(cursorOf("e11")).toBe("0");
    expect(cursorOf("e12")).toBe("e1");
  });

  it("is read on past pages without an event, and up to the end of the journal", async () => {
    const pages: Record<string, object> = {
      "0": { events: [], next_cursor: "a" },
      a: { events: [event(1)], next_cursor: "e1" },
      e1: { events: [], next_cursor: "b" },
      b: { events: [], next_cursor: "b" },
    };
    const asked = serve([], (query) => Response.json(pages[query.get("cursor") ?? ""]));
    const first = await eventsAfter("0", 50);
    expect(first).toEqual({ events: [event(1)], cursor: "e1", isEnd: false });
    expect(await eventsAfter("e1", 50)).toEqual({ events: [], cursor: "b", isEnd: true });
    expect(asked).toEqual(["0", "a", "e1", "b"]);
  });
});

describe("the filters", () => {
  const events = [
    event(1, { actor: "ada" }),
    event(2, { actor: "bob", subject: { kind: "pause", id: "scope" } }),
    event(3),
  ];

  it("select by kind and by actor", () => {
    const ids = (kinds: string[], actor: string) =>
      filtered(events, { kinds, actor }).map(({ id }) => id);
    expect(ids([], "")).toEqual(["e1", "e2", "e3"]);
    expect(ids(["task"], "")).toEqual(["e1", "e3"]);
    expect(ids(["task", "pause"], "bob")).toEqual(["e2"]);
  });

  it("offer the names of those who acted", () => {
    expect(actorsOf(events)).toEqual(["ada", "bob"]);
  });
});
