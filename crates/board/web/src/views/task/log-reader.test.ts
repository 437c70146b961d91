import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { LogReader } from "./log-reader";

/** The answers that the server gives, in their order; then it waits. */
let answers: object[] = [];
let asked: URL[] = [];
let waited: (string | null)[] = [];

beforeEach(() => {
  asked = [];
  waited = [];
  vi.stubGlobal("fetch", (address: string, options: RequestInit) => {
    asked.push(new URL(address, "http://board.test"));
    waited.push(new Headers(options.headers).get("Prefer"));
    const answer = answers.shift();
    if (answer) return Promise.resolve(new Response(JSON.stringify(answer)));
    return new Promise((_, refuse) => {
      options.signal?.addEventListener("abort", () => refuse(new DOMException("", "AbortError")));
    });
  });
});

afterEach(() => vi.unstubAllGlobals());

const part = (offset: number, text: string, isComplete = false) => ({
  offset,
  next_offset: offset + text.length,
  text,
  is_complete: isComplete,
});

test("a log is read to its end", async () => {
  answers = [part(0, "one\ntw"), part(6, "o\n", true)];
  const reader = new LogReader("t", 2, true);
  await reader.follow();
  expect(reader.lines.value).toEqual(["one", "two"]);
  expect(reader.state.value).toBe("ended");
  expect(asked.map(({ pathname }) => pathname)).toEqual(
    Array(2).fill("/api/v1/tasks/t/runs/2/log"),
  );
  expect(asked.map(({ searchParams }) => searchParams.get("offset"))).toEqual(["0", "6"]);
  expect(waited).toEqual([null, "wait=15"]);
});

test("of an ended run nothing is waited for, but what comes late is read", async () => {
  answers = [part(0, "one\n"), part(4, "late\n"), part(9, "", true)];
  const reader = new LogReader("t", 1, false);
  await reader.follow();
  expect(reader.state.value).toBe("ended");
  expect(reader.lines.value).toEqual(["one", "late"]);
  expect(waited).toEqual([null, null, null]);
});

test("when its run ends, the wait for more ends as well", async () => {
  answers = [part(0, "one\n")];
  const reader = new LogReader("t", 1, true);
  const followed = reader.follow();
  await vi.waitFor(() => expect(waited).toHaveLength(2));
  answers = [part(4, "", true)];
  reader.end();
  await followed;
  expect(reader.state.value).toBe("ended");
  expect(waited).toEqual([null, "wait=15", null]);
});

test("a hidden page does not read", async () => {
  const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  answers = [part(0, "one\n", true)];
  const reader = new LogReader("t", 1, true);
  const followed = reader.follow();
  expect(asked).toHaveLength(0);
  hidden.mockReturnValue(false);
  document.dispatchEvent(new Event("visibilitychange"));
  await followed;
  expect(reader.lines.value).toEqual(["one"]);
});

test("what is not kept of the beginning is known", async () => {
  answers = [part(500, "late\n", true)];
  const reader = new LogReader("t", 1, true);
  await reader.follow();
  expect(reader.missing.value).toBe(500);
});

test("a log is followed until one stops", async () => {
  answers = [part(0, "one\n")];
  const reader = new LogReader("t", 1, true);
  const end = reader.follow();
  await vi.waitFor(() => expect(waited).toHaveLength(2));
  expect(reader.state.value).toBe("following");
  reader.stop();
  await end;
  expect(reader.lines.value).toEqual(["one"]);
});
