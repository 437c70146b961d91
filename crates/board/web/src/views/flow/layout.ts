/** A flow as a graph: where its states are, and how the arrows between them run. */

import type { Flow } from "../../api/types";
import { statesOf, transitionsOf, type Transition } from "../../state/flows";

/** A flow as it is drawn. */
export interface Graph {
  states: readonly string[];
  steps: readonly Transition[];
}

/** A state on the grid. */
export interface Place {
  state: string;
  column: number;
  row: number;
}

/** The size of a state and of the gaps between them, in pixels. */
export const SIZE = { width: 176, height: 56, gapX: 48, gapY: 24, head: 56 };

/** The graph of a flow, without steps from or to a state that the flow does not list. */
export function graphOf(flow: Pick<Flow, "states" | "transitions">): Graph {
  const states = statesOf(flow);
  const isKnown = ({ from, to }: Transition) => states.includes(from) && states.includes(to);
  return { states, steps: transitionsOf(flow).filter(isKnown) };
}

/** Adds states that are not of the flow, but have tasks. */
export function withStates(graph: Graph, more: readonly string[]): Graph {
  const added = more.filter((state) => !graph.states.includes(state));
  return { ...graph, states: [...graph.states, ...added] };
}

/**
 * Places the states: a column further right for each step forward, in the order in which the flow
 * lists its states. The longest way is the first row. States that no step leads to are at the end.
 */
export function placesOf({ states, steps }: Graph): Place[] {
  const columns = columnsOf({ states, steps });
  const last = Math.max(0, ...columns.values());
  const rows = new Map<number, number>();
  const way = longestWay({ states, steps }, columns);
  const place = (state: string, column: number): Place => {
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    return { state, column, row };
  };
  const others = states.filter((state) => !way.includes(state));
  return [
    ...way.map((state) => place(state, columns.get(state) ?? 0)),
    ...others.map((state) => place(state, columns.get(state) ?? last)),
  ];
}

/** The length of the longest way to each state that a step leads to, or from. */
function columnsOf({ states, steps }: Graph): Map<string, number> {
  const columns = new Map<string, number>();
  states.forEach((state, index) => {
    const before = steps.filter(({ from, to }) => to === state && states.indexOf(from) < index);
    const known = before
      .map(({ from }) => columns.get(from))
      .filter((column) => column !== undefined);
    const isStart = index === 0 || steps.some(({ from }) => from === state);
    if (known.length > 0) columns.set(state, Math.max(...known) + 1);
    else if (isStart) columns.set(state, 0);
  });
  return columns;
}

/** The longest way forward, from its first state to its last. */
function longestWay({ states, steps }: Graph, columns: ReadonlyMap<string, number>): string[] {
  const way: string[] = [];
  let column = Math.max(-1, ...columns.values());
  while (column >= 0) {
    const next = way[0];
    const state = states.find(
      (known) =>
        columns.get(known) === column &&
        (next === undefined || steps.some(({ from, to }) => from === known && to === next)),
    );
    if (state === undefined) break;
    way.unshift(state);
    column -= 1;
  }
  return way;
}

/** The upper left corner of a place, in pixels. */
export function cornerOf({ column, row }: Place): { x: number; y: number } {
  const { width, height, gapX, gapY, head } = SIZE;
  return { x: column * (width + gapX), y: head + row * (height + gapY) };
}

/** The size of the whole, in pixels. */
export function extentOf(places: readonly Place[]): { width: number; height: number } {
  const corners = places.map(cornerOf);
  return {
    width: Math.max(0, ...corners.map(({ x }) => x)) + SIZE.width,
    height: Math.max(0, ...corners.map(({ y }) => y)) + SIZE.height,
  };
}

/** The path of an arrow, as SVG has it: forward straight, back above the first row or below. */
export function arrowOf(from: Place, to: Place): string {
  const { width, height, gapX } = SIZE;
  const a = cornerOf(from);
  const b = cornerOf(to);
  if (to.column > from.column) {
    const [ay, by] = [a.y + height / 2, b.y + height / 2];
    const start = `M ${a.x + width} ${ay}`;
    const end = `${b.x - 6} ${by}`;
    if (a.y === b.y && to.column === from.column + 1) return `${start} L ${end}`;
    const bend = gapX / 2;
    return `${start} C ${a.x + width + bend} ${ay} ${b.x - bend} ${by} ${end}`;
  }
  if (from.row === 0 && to.row === 0) {
    const top = a.y - Math.min(SIZE.head - 8, 20 + 14 * (from.column - to.column));
    const x = a.x + width / 2 - 12;
    const end = b.x + width / 2 + 12;
    return `M ${x} ${a.y} C ${x} ${top} ${end} ${top} ${end} ${b.y - 6}`;
  }
  const x = b.x + width / 2;
  const y = a.y + height / 2;
  return `M ${a.x} ${y} C ${x} ${y} ${x} ${y} ${x} ${b.y + height + 6}`;
}
