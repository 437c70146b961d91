import { expect, test } from "vitest";

import { absolute, countdown, duration, instant, showUtc, timeOfDay } from "./clock";

test.each([
  [0, "0 s"],
  [-5_000, "0 s"],
  [59_400, "59 s"],
  [59_600, "1 min"],
  [3_599_000, "59 min"],
  [3_600_000, "1 h"],
  [200_000_000, "2 d"],
])("a duration of %i ms is %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test("a lease is counted down in minutes and seconds", () => {
  expect(countdown(250_000)).toBe("4:10");
  expect(countdown(900)).toBe("0:01");
  expect(countdown(-1)).toBe("0:00");
  expect(countdown(7_200_000)).toBe("2 h");
});

test("an absolute time says that it is in UTC", () => {
  showUtc(true);
  expect(absolute("2026-11-26T14:02:11.000Z")).toBe("2026-11-26 14:02:11 UTC");
  expect(timeOfDay("2026-11-26T14:02:11.000Z")).toBe("14:02");
  showUtc(false);
  expect(absolute("2026-11-26T14:02:11.000Z")).not.toContain("UTC");
});

test("what is no instant is shown as it is", () => {
  expect(absolute("soon")).toBe("soon");
});

test("instants without a zone are in UTC", () => {
  expect(instant("2026-11-22 00:03:34")).toBe(Date.UTC(2026, 10, 22, 0, 3, 34));
  expect(instant("2026-11-22T00:03:34.719Z")).toBe(Date.UTC(2026, 10, 22, 0, 3, 34, 719));
  expect(instant("soon")).toBeNaN();
});
