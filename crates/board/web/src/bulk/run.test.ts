import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { ApiError } from "../api/http";
import { AT_ONCE, runAll, type Progress } from "./run";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});

afterEach(() => {
  vi.useRealTimers();
});

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
const never = new AbortController().signal;
const quiet = () => undefined;

test("never more than eight requests are under way, and all are sent once", async () => {
  const sent: number[] = [];
  let underWay = 0;
  let most = 0;
  const send = async (item: number) => {
    underWay += 1;
    most = Math.max(most, underWay);
    sent.push(item);
    await Promise.resolve();
    await Promise.resolve();
    underWay -= 1;
  };
  const progress = await runAll(numbers(5_000), send, never, quiet);
  expect(progress).toMatchObject({ changed: 5_000, refused: [] });
  expect(most).toBe(AT_ONCE);
  expect(sent).toEqual(numbers(5_000));
});

test("what is refused is told with its reason, and the rest goes on", async () => {
  const send = async (item: number) => {
    if (item % 3 === 0) throw new ApiError(409, "wrong_state", `task ${item} is done`);
  };
  const told: number[] = [];
  const progress = await runAll(numbers(10), send, never, ({ changed }) => told.push(changed));
  expect(progress.changed).toBe(6);
  expect(progress.refused.map(({ item }) => item)).toEqual([0, 3, 6, 9]);
  expect(progress.refused[1]?.text).toBe("task 3 is done");
  expect(told).toHaveLength(10);
});

test("a busy server is left alone for as long as it says, by all requests", async () => {
  const at: number[] = [];
  const begin = performance.now();
  let isBusy = true;
  const send = async () => {
    at.push(performance.now() - begin);
    if (isBusy) throw new ApiError(503, "overloaded", "The server is busy", 7);
  };
  const run = runAll(numbers(20), send, never, quiet);
  await vi.advanceTimersByTimeAsync(6_900);
  expect(at).toEqual(numbers(AT_ONCE).map(() => 0));
  isBusy = false;
  await vi.advanceTimersByTimeAsync(200);
  expect(await run).toMatchObject({ changed: 20, refused: [] });
  expect(Math.min(...at.slice(AT_ONCE))).toBeGreaterThanOrEqual(7_000);
});

test("a request that is never taken is refused at last", async () => {
  const send = vi.fn(async () => {
    throw new ApiError(429, "too_many", "Too many requests");
  });
  const run = runAll([1], send, never, quiet);
  await vi.runAllTimersAsync();
  const refused = [{ item: 1, text: "Too many requests" }];
  expect(await run).toMatchObject({ changed: 0, refused });
  expect(send).toHaveBeenCalledTimes(6);
});

test("a stop sends nothing more, and waits for what is under way", async () => {
  const stop = new AbortController();
  let last: Progress<number> | undefined;
  const send = async (item: number) => {
    if (item === 20) stop.abort();
    await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const run = runAll(numbers(100), send, stop.signal, (progress) => (last = progress));
  await vi.runAllTimersAsync();
  const progress = await run;
  expect(progress.changed).toBe(21);
  expect(last).toEqual(progress);
});

test("a stop ends a pause at once, and what was to be sent again is left", async () => {
  const stop = new AbortController();
  const send = vi.fn(async () => {
    throw new ApiError(503, "overloaded", "busy", 3_600);
  });
  const run = runAll([1], send, stop.signal, quiet);
  await vi.advanceTimersByTimeAsync(1);
  stop.abort();
  expect(await run).toEqual({ changed: 0, refused: [] });
  expect(send).toHaveBeenCalledTimes(1);
});

test("a key that may not do this is not tried with every task", async () => {
  const send = vi.fn(async () => {
    throw new ApiError(403, "forbidden", "The key may only read");
  });
  const progress = await runAll(numbers(1_000), send, never, quiet);
  expect(send.mock.calls.length).toBeLessThanOrEqual(AT_ONCE);
  expect(progress.halt).toBe("The key may only read");
});
