import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { chooseScope, needsKey } from "../state/session";
import { serve, until } from "../test/server";
import type { LiveStatus, PassingEvent, StoredEvent } from "./events";
import { Source } from "./source";

class Output {
  statuses: LiveStatus[] = [];
  events: StoredEvent[] = [];
  passed: PassingEvent[] = [];
  gaps = 0;
  ticks = 0;
  status = (status: LiveStatus) => void this.statuses.push(status);
  event = (event: StoredEvent) => void this.events.push(event);
  passing = (event: PassingEvent) => void this.passed.push(event);
  gap = () => void (this.gaps += 1);
  tick = () => void (this.ticks += 1);
}

/** A stream that a test writes into. */
class Stream {
  private control!: ReadableStreamDefaultController<Uint8Array>;
  readonly response = new Response(
    new ReadableStream<Uint8Array>({ start: (control) => void (this.control = control) }),
  );

  write(text: string): void {
    this.control.enqueue(new TextEncoder().encode(text));
  }

  end(): void {
    this.control.close();
  }
}

function message(id: string, type = "task.claimed"): string {
  const event = { id, type, subject: { kind: "task", id: "t" }, scope: "s", at: "", details: null };
  return `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;
}

let output: Output;
let source: Source;

beforeEach(() => {
  chooseScope("s");
  output = new Output();
});

afterEach(() => {
  source.stop();
  vi.useRealTimers();
});

function run(cursor?: string): void {
  source = new Source(output, cursor);
  void source.run();
}

test("events arrive as they are written, in however many parts", async () => {
  const stream = new Stream();
  serve({ "GET /api/v1/events": () => stream.response });
  run();
  await until(() => output.statuses.includes("live"));
  const text = message("e1");
  stream.write(`retry: 2000\n\n${text.slice(0, 20)}`);
  stream.write(text.slice(20));
  stream.write('data: {"type":"task.progress","subject":{"kind":"task","id":"t"},"details":{}}\n\n');
  await until(() => output.passed.length === 1);
  expect(output.events.map((event) => event.id)).toEqual(["e1"]);
  expect(output.gaps).toBe(1);
});

test("a stream that ends is resumed after its last event, without a gap", async () => {
  const streams = [new Stream(), new Stream()];
  let opened = 0;
  const asked = serve({ "GET /api/v1/events": () => streams[opened++]!.response });
  run();
  await until(() => output.statuses.includes("live"));
  streams[0]!.write(message("e1"));
  await until(() => output.events.length === 1);
  streams[0]!.end();
  await until(() => asked.length === 2);
  expect(asked[1]?.headers.get("last-event-id")).toBe("e1");
  expect(output.statuses.slice(0, 2)).toEqual(["live", "reconnecting"]);
  expect(output.gaps).toBe(1);
});

test("a position that is no longer kept is a gap", async () => {
  const stream = new Stream();
  const asked = serve({
    "GET /api/v1/events": (request) =>
      request.headers.has("last-event-id")
        ? { status: 410, body: { error: "gone", code: "events_gone" } }
        : stream.response,
  });
  run("old");
  await until(() => output.statuses.includes("live"));
  expect(asked).toHaveLength(2);
  expect(output.gaps).toBe(1);
});

test("a server without streams is asked for pages", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  const event = JSON.parse(message("e7").split("data: ")[1]!) as StoredEvent;
  const asked = serve({
    "GET /api/v1/events": ({ url, headers }) => {
      if (headers.get("accept") === "text/event-stream") {
        return { status: 406, body: { error: "no streams", code: "not_acceptable" } };
      }
      const isFirst = !url.searchParams.has("cursor");
      return { body: { events: isFirst ? [] : [event], next_cursor: isFirst ? "e6" : "e7" } };
    },
  });
  run();
  await until(() => output.statuses.includes("polling"));
  await vi.advanceTimersByTimeAsync(4_000);
  await until(() => output.events.length === 1);
  expect(asked.map(({ url }) => url.searchParams.get("cursor"))).toEqual([null, null, "e6"]);
});

test("pages that fail are asked for again", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  let isDown = false;
  serve({
    "GET /api/v1/events": ({ headers }) => {
      if (headers.get("accept") === "text/event-stream") return { status: 406, body: {} };
      return isDown ? { status: 503, body: {} } : { body: { events: [], next_cursor: "e1" } };
    },
  });
  run();
  await until(() => output.statuses.includes("polling"));
  isDown = true;
  await vi.advanceTimersByTimeAsync(4_100);
  await until(() => output.statuses.includes("reconnecting"));
  isDown = false;
  await vi.advanceTimersByTimeAsync(6_000);
  await until(() => output.statuses.at(-1) === "polling");
});

test("above 50 events in a second the stream is closed, and summaries are told", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  const streams = [new Stream(), new Stream()];
  let opened = 0;
  const asked = serve({ "GET /api/v1/events": () => streams[opened++]!.response });
  run();
  await until(() => output.statuses.includes("live"));
  const many = Array.from({ length: 60 }, (_, index) => message(`e${index}`));
  streams[0]!.write(many.join(""));
  await until(() => output.statuses.includes("busy"));
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(30_000);
  await until(() => asked.length === 2);
  expect(output.ticks).toBe(10);
  expect(asked[1]?.headers.has("last-event-id")).toBe(false);
  await until(() => output.gaps === 2);
});

test("a key that is not taken ends it, and another key is asked for", async () => {
  const asked = serve({ "GET /api/v1/events": () => ({ status: 401, body: { error: "no" } }) });
  source = new Source(output, undefined);
  await source.run();
  expect(asked).toHaveLength(1);
  expect(needsKey.value).toBe(true);
});
