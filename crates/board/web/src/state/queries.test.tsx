import { act, cleanup, render } from "@testing-library/preact";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { ApiError } from "../api/http";
import type { StoredEvent } from "../live/events";
import { liveStatus } from "../live/live";
import { until } from "../test/server";
import {
  forgetQueries,
  invalidateAll,
  kinds,
  queryNamed,
  useQuery,
  type QueryOptions,
} from "./queries";

let reads = 0;
let answer: () => Promise<string>;

const options: QueryOptions<string> = {
  name: "numbers",
  load: () => {
    reads += 1;
    return answer();
  },
  concerns: kinds("task"),
};

function Shown() {
  const query = useQuery(options);
  return (
    <p>
      {query.data.value ?? "nothing"} {query.error.value?.message}
    </p>
  );
}

async function pass(ms: number): Promise<void> {
  await act(async () => {
    await vi.advanceTimersByTimeAsync(ms);
  });
}

function event(kind: string): StoredEvent {
  const subject = { kind, id: "t" };
  return { id: "e", type: `${kind}.created`, at: "", scope: "s", subject } as StoredEvent;
}

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  reads = 0;
  answer = () => Promise.resolve(`read ${reads}`);
  liveStatus.value = "live";
});

afterEach(() => {
  cleanup();
  forgetQueries();
  vi.useRealTimers();
});

test("what is known is shown at once when a view comes back, without another read", async () => {
  const first = render(<Shown />);
  await until(() => first.container.textContent === "read 1 ");
  first.unmount();
  expect(render(<Shown />).container.textContent).toBe("read 1 ");
  expect(reads).toBe(1);
});

test("the first connection, which is waited for, does not make a view read twice", async () => {
  liveStatus.value = "connecting";
  const { container } = render(<Shown />);
  await pass(100);
  expect(reads).toBe(0);
  liveStatus.value = "live";
  invalidateAll();
  await pass(5_000);
  expect(container.textContent).toBe("read 1 ");
  expect(reads).toBe(1);
});

test("events that concern a query are collected, and it is read again once", async () => {
  const { container } = render(<Shown />);
  await until(() => container.textContent === "read 1 ");
  const query = queryNamed(options);
  for (let count = 0; count < 20; count += 1) query.onEvent(event("task"));
  query.onEvent(event("draft"));
  await pass(1_100);
  expect(reads).toBe(2);
  query.onEvent(event("draft"));
  await pass(5_000);
  expect(reads).toBe(2);
});

test("an event reaches the screen at once if nothing was read just before", async () => {
  const { container } = render(<Shown />);
  await until(() => container.textContent === "read 1 ");
  await pass(2_000);
  queryNamed(options).onEvent(event("task"));
  await pass(50);
  expect(reads).toBe(2);
});

test("a query that no view shows is not read for an event, but when a view shows it", async () => {
  const shown = render(<Shown />);
  await until(() => shown.container.textContent === "read 1 ");
  shown.unmount();
  queryNamed(options).onEvent(event("task"));
  expect(reads).toBe(1);
  const again = render(<Shown />);
  await until(() => again.container.textContent === "read 2 ");
});

test("under load, a query that is no summary is read at each fifth tick", async () => {
  const { container } = render(<Shown />);
  await until(() => container.textContent === "read 1 ");
  await pass(2_000);
  const query = queryNamed(options);
  for (let tick = 0; tick < 5; tick += 1) {
    query.onTick();
    await pass(2_000);
  }
  expect(reads).toBe(2);
});

test("what is known stays when it cannot be read again, and the error is shown", async () => {
  const { container } = render(<Shown />);
  await until(() => container.textContent === "read 1 ");
  answer = () => Promise.reject(new ApiError(503, "unavailable", "No database"));
  await act(() => queryNamed(options).read());
  expect(container.textContent).toBe("read 1 No database");
});

test("an answer that a later read has overtaken is dropped", async () => {
  const waiting: ((text: string) => void)[] = [];
  answer = () => new Promise((resolve) => waiting.push(resolve));
  const { container } = render(<Shown />);
  const query = queryNamed(options);
  await until(() => waiting.length === 1);
  void query.read();
  await until(() => waiting.length === 2);
  waiting[1]!("new");
  await until(() => container.textContent === "new ");
  waiting[0]!("old");
  await act(() => Promise.resolve());
  expect(container.textContent).toBe("new ");
});

test("a read that a later one replaces ends with the answer of the later one", async () => {
  const waiting: ((text: string) => void)[] = [];
  answer = () => new Promise((resolve) => waiting.push(resolve));
  const query = queryNamed(options);
  let seen: string | undefined;
  const first = query.read().then(() => (seen = query.data.value));
  await until(() => waiting.length === 1);
  void query.read();
  await until(() => waiting.length === 2);
  waiting[0]!("old");
  await pass(0);
  expect(seen).toBeUndefined();
  waiting[1]!("new");
  await first;
  expect(seen).toBe("new");
});

test("what a query returns now is read once, and again after an event", async () => {
  const query = queryNamed(options);
  expect(await query.current()).toBe("read 1");
  expect(await query.current()).toBe("read 1");
  query.onEvent(event("task"));
  expect(await query.current()).toBe("read 2");
  query.invalidate();
  answer = () => Promise.reject(new ApiError(503, "overloaded", "Too much"));
  await expect(query.current()).rejects.toThrow("Too much");
});
