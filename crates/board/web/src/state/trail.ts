/** The list that was shown last, so that the page of a task leads to the next task of it. */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** A list of tasks. */
interface Trail {
  /** The name of the view, as in "2 of 7 in Now". */
  label: string;
  /** The ids of its tasks, in their order. */
  ids: readonly string[];
}

/** The list that was left last. */
export const trail = signal<Trail | undefined>(undefined);

/** Remembers which tasks a view has listed when it is left. */
export function useTrail(label: string, ids: () => readonly string[]): void {
  const latest = useRef(ids);
  latest.current = ids;
  useEffect(
    () => () => {
      trail.value = { label, ids: latest.current() };
    },
    [label],
  );
}

/** The place of a task in a list: its number from 1, and its neighbours. */
interface Place {
  number: number;
  before: string | undefined;
  after: string | undefined;
}

/** Where a task is in a list; undefined if it is not in it. */
export function placeIn(ids: readonly string[], id: string): Place | undefined {
  const at = ids.indexOf(id);
  if (at < 0) return undefined;
  return { number: at + 1, before: ids[at - 1], after: ids[at + 1] };
}
