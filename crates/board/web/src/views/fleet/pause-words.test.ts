import { expect, it } from "vitest";

import { endOf, localText, targetOf, targetWords } from "./pause-words";

const NOW = Date.parse("2026-11-26T12:00:00.000Z");

it("names targets as the API does, and as people do", () => {
  expect(targetOf("scope", "ignored")).toBe("scope");
  expect(targetOf("pool", "a:b")).toBe("pool:a:b");
  expect(targetWords("scope")).toBe("everything");
  expect(targetWords("pool:a:b")).toBe("pool a:b");
});

it("ends a pause after a while, at a time, or never", () => {
  expect(endOf("15min", NOW, "")?.getTime()).toBe(NOW + 900_000);
  expect(endOf("1h", NOW, "")?.getTime()).toBe(NOW + 3_600_000);
  expect(endOf("time", NOW, localText(NOW + 60_000))?.getTime()).toBe(NOW + 60_000);
  expect(endOf("open", NOW, "")).toBeUndefined();
});
