import { expect, it } from "vitest";

import type { Summary } from "../../api/types";
import { countsOf } from "./counts";

const QUEUES = { incoming: 8, claimed: 2, provisional: 1 };
const STATES = ["incoming", "claimed", "provisional", "done"];

it("finds where tasks wait longest, but not where they are worked on", () => {
  const oldest = {
    incoming: "2026-11-26T11:00:00.000Z",
    claimed: "2026-11-26T09:00:00.000Z",
    provisional: "2026-11-26T10:00:00.000Z",
  };
  const counts = countsOf(STATES, { queues: QUEUES, oldest } as unknown as Summary);
  const worst = counts.filter(({ isWorst }) => isWorst);
  expect(worst.map(({ state }) => state)).toEqual(["provisional"]);
  expect(counts.find(({ state }) => state === "claimed")?.since).toBeUndefined();
  expect(counts.map(({ tasks }) => tasks)).toEqual([8, 2, 1, 0]);
});

it("has counts without times where the server tells none", () => {
  const counts = countsOf(STATES, { queues: QUEUES } as unknown as Summary);
  expect(counts.some(({ isWorst, since }) => isWorst || since !== undefined)).toBe(false);
  expect(countsOf(STATES, undefined).map(({ tasks }) => tasks)).toEqual([0, 0, 0, 0]);
});
