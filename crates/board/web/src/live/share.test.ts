import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { chooseScope } from "../state/session";
import { serve, until, type Asked } from "../test/server";
import type { LiveStatus, StoredEvent } from "./events";
import { SharedSource } from "./share";

/** Locks as a browser has them: one holder at a time, the next in line follows. */
class Locks {
  private readonly waiting: (() => void)[] = [];
  private isHeld = false;

  async request(_name: string, options: { signal: AbortSignal }, run: () => Promise<void>) {
    if (this.isHeld) await this.turn(options.signal);
    this.isHeld = true;
    try {
      await run();
    } finally {
      this.isHeld = false;
      this.waiting.shift()?.();
    }
  }

  private turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push(resolve);
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  }
}

interface Tab {
  source: SharedSource;
  statuses: LiveStatus[];
  events: string[];
  gaps: number;
}

function tab(): Tab {
  const made: Omit<Tab, "source"> = { statuses: [], events: [], gaps: 0 };
  const source = new SharedSource("octopoid:s", {
    status: (status) => made.statuses.push(status),
    event: (event) => made.events.push(event.id),
    passing: () => undefined,
    gap: () => (made.gaps += 1),
    tick: () => undefined,
  });
  return Object.assign(made, { source });
}

let asked: Asked[];
let write: (id: string) => void;
let tabs: Tab[];

beforeEach(() => {
  chooseScope("s");
  vi.stubGlobal("navigator", { locks: new Locks() });
  asked = serve({
    "GET /api/v1/events": ({ headers }) => {
      const encoder = new TextEncoder();
      const body = new ReadableStream<Uint8Array>({
        start: (control) => {
          write = (id) => {
            const event = { id, type: "task.created", subject: { kind: "task", id } };
            const text = `id: ${id}\ndata: ${JSON.stringify(event satisfies Partial<StoredEvent>)}\n\n`;
            control.enqueue(encoder.encode(text));
          };
        },
      });
      return new Response(body, { headers: { "x-after": headers.get("last-event-id") ?? "" } });
    },
  });
  tabs = [tab(), tab(), tab()];
  for (const { source } of tabs) void source.run();
});

afterEach(() => {
  for (const { source } of tabs) source.stop();
  vi.unstubAllGlobals();
});

test("all tabs are told what one of them reads", async () => {
  await until(() => tabs.every(({ statuses }) => statuses.includes("live")));
  write("e1");
  await until(() => tabs.every(({ events }) => events.length === 1));
  expect(asked).toHaveLength(1);
});

test("when the tab that reads closes, another goes on after the last event", async () => {
  await until(() => tabs.every(({ statuses }) => statuses.includes("live")));
  write("e1");
  await until(() => tabs.every(({ events }) => events.length === 1));
  tabs[0]!.source.stop();
  await until(() => asked.length === 2);
  expect(asked[1]?.headers.get("last-event-id")).toBe("e1");
  write("e2");
  await until(() => tabs.slice(1).every(({ events }) => events.length === 2));
  expect(tabs[0]!.events).toEqual(["e1"]);
});

test("a tab that comes later learns the state of the connection", async () => {
  await until(() => tabs.every(({ statuses }) => statuses.includes("live")));
  const late = tab();
  tabs.push(late);
  void late.source.run();
  await until(() => late.statuses.includes("live"));
  expect(asked).toHaveLength(1);
});

test("without locks, each tab has a stream", async () => {
  await until(() => asked.length === 1);
  vi.stubGlobal("navigator", {});
  const alone = tab();
  tabs.push(alone);
  void alone.source.run();
  await until(() => asked.length === 2);
});
