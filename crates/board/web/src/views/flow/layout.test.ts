import { describe, expect, it } from "vitest";

import { arrowOf, cornerOf, extentOf, graphOf, placesOf, withStates, type Graph } from "./layout";

function graph(states: string[], steps: [string, string][]): Graph {
  return { states, steps: steps.map(([from, to]) => ({ from, to })) };
}

/** The flow of `octopoid up`. */
const UP = graph(
  ["incoming", "claimed", "provisional", "approved", "needs_continuation", "done", "failed"],
  [
    ["incoming", "claimed"],
    ["claimed", "provisional"],
    ["provisional", "approved"],
    ["approved", "done"],
    ["claimed", "incoming"],
    ["provisional", "incoming"],
    ["claimed", "needs_continuation"],
    ["needs_continuation", "incoming"],
  ],
);

describe("the places of states", () => {
  it("have the longest way in the first row, and the rest below", () => {
    const places = new Map(placesOf(UP).map((place) => [place.state, [place.column, place.row]]));
    expect(Object.fromEntries(places)).toEqual({
      incoming: [0, 0],
      claimed: [1, 0],
      provisional: [2, 0],
      approved: [3, 0],
      done: [4, 0],
      needs_continuation: [2, 1],
      failed: [4, 1],
    });
  });

  it("never coincide, with any steps", () => {
    const odd = graph(
      ["a", "b", "c", "d", "e"],
      [
        ["a", "c"],
        ["c", "b"],
        ["b", "a"],
        ["d", "e"],
        ["e", "e"],
      ],
    );
    const corners = placesOf(odd).map((place) => JSON.stringify(cornerOf(place)));
    expect(new Set(corners).size).toBe(5);
    expect(placesOf(graph([], []))).toEqual([]);
    expect(placesOf(graph(["only"], []))).toEqual([{ state: "only", column: 0, row: 0 }]);
  });

  it("fit in the extent", () => {
    const places = placesOf(UP);
    const { width, height } = extentOf(places);
    for (const place of places) {
      const { x, y } = cornerOf(place);
      expect(x).toBeLessThan(width);
      expect(y).toBeLessThan(height);
    }
  });
});

it("draws arrows straight to the next column, else bent", () => {
  const [incoming, claimed, provisional] = placesOf(UP);
  if (!incoming || !claimed || !provisional) throw new Error("the flow has three states");
  expect(arrowOf(incoming, claimed)).toContain("L");
  expect(arrowOf(incoming, provisional)).toContain("C");
  expect(arrowOf(provisional, incoming)).toContain("C");
});

it("reads flows as the server returns them, without steps to unknown states", () => {
  const read = graphOf({
    states: '["incoming","done"]',
    transitions: '[{"from":"incoming","to":"done","agent":"x"},{"from":"done","to":"gone"}]',
  });
  expect(read.steps.map(({ to }) => to)).toEqual(["done"]);
  expect(withStates(read, ["done", "later"]).states).toEqual(["incoming", "done", "later"]);
});
