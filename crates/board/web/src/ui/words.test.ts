import { expect, test } from "vitest";

import { counted, dollars, eventWords, plainDetails, shortId, tokens, usageWords } from "./words";

test("details are told as a reason, or as the values of an object", () => {
  expect(plainDetails("tests missing")).toBe("tests missing");
  expect(plainDetails('{"reason":"timeout","message":"after 10 min"}')).toBe("timeout: after 10 min");
  expect(plainDetails('{"queue":"incoming","by":null,"fields":["a"]}')).toBe(
    'queue incoming, fields a',
  );
  expect(plainDetails("7")).toBe("7");
});

test("events of the history and of the journal have the same words", () => {
  expect(eventWords("task.force_queue")).toBe("moved by hand");
  expect(eventWords("force_queue")).toBe("moved by hand");
  expect(eventWords("task.something_new")).toBe("something new");
});

test("what is not known of a run is not told", () => {
  expect(usageWords(null)).toBe("");
  expect(usageWords({ input_tokens: null, output_tokens: null, cost_usd: null })).toBe("");
  expect(usageWords({ input_tokens: 0, cost_usd: "0" })).toBe("0 tokens · $0.00");
  expect(usageWords({ input_tokens: 21_000, output_tokens: 10_200 })).toBe("31.2k tokens");
});

test("numbers are short", () => {
  expect(tokens(999)).toBe("999");
  expect(tokens(1_400_000)).toBe("1.4M");
  expect(dollars("0.0012")).toBe("$0.0012");
  expect(dollars("12.4")).toBe("$12.40");
  expect(counted(1, "file")).toBe("1 file");
  expect(counted(4_812, "task")).toBe("4,812 tasks");
  expect(shortId("0193ab7e-1111-7222-8333-444444444444")).toBe("0193ab7e");
  expect(shortId("TASK-12")).toBe("TASK-12");
});
