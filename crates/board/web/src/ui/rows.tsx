/** Lists with a cursor, which `j` and `k` move. */

import { signal, type Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";

import { useKeys, type Binding } from "../keys/keys";

/** The cursor of a list: the id of the row that it is on. */
export interface Cursor {
  id: Signal<string | undefined>;
  /** The rows, in their order. */
  ids: string[];
}

/**
 * A cursor over rows. When its row leaves the list, it moves to the row that follows. If the row was
 * one of `urgent`, it moves to the next of those, which is the next thing to decide.
 */
export function useCursor(ids: string[], urgent: readonly string[] = []): Cursor {
  const id = useMemo(() => signal<string | undefined>(undefined), []);
  const before = useRef({ ids, urgent });
  useLayoutEffect(() => {
    const at = id.value;
    if (at !== undefined && !ids.includes(at)) {
      const known = before.current.urgent.includes(at) ? before.current.urgent : before.current.ids;
      const left = known === before.current.urgent && urgent.length > 0 ? urgent : ids;
      id.value = following(at, known, left);
    }
    before.current = { ids, urgent };
  });
  return { id, ids };
}

/** The row that takes the place of one that has left `known`; `left` are the rows now. */
function following(at: string, known: readonly string[], left: readonly string[]) {
  const place = known.indexOf(at);
  const next = known.slice(place + 1).find((other) => left.includes(other));
  return next ?? left[Math.min(place, left.length - 1)];
}

/** Puts the cursor on the row that the address names, once, as soon as the list has the row. */
export function useNamedRow(cursor: Cursor, id: string | undefined): void {
  const shown = useRef<string | undefined>(undefined);
  const isListed = id !== undefined && cursor.ids.includes(id);
  useEffect(() => {
    if (!isListed || shown.current === id) return;
    shown.current = id;
    cursor.id.value = id;
    rowElement(id)?.scrollIntoView({ block: "center" });
  }, [id, isListed]);
}

function rowElement(id: string): Element | null {
  return document.querySelector(`[data-row="${CSS.escape(id)}"]`);
}

/** The keys of a list with a cursor. `open` shows the row under the cursor. */
export function useListKeys(cursor: Cursor, open: (id: string) => void): void {
  const move = (by: number) => {
    const { ids, id } = cursor;
    if (ids.length === 0) return;
    const at = id.value === undefined ? -1 : ids.indexOf(id.value);
    const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), ids.length - 1);
    id.value = ids[next];
    rowElement(ids[next] ?? "")?.scrollIntoView({ block: "nearest" });
  };
  const keys: Binding[] = [
    { keys: "j", label: "Next row", run: () => move(1), group: "Lists", isRepeated: true },
    { keys: "k", label: "Previous row", run: () => move(-1), group: "Lists", isRepeated: true },
    {
      keys: "Enter",
      label: "Open the row",
      run: () => cursor.id.value !== undefined && open(cursor.id.value),
      group: "Lists",
    },
  ];
  useKeys(keys);
}

/** A row of such a list. */
export function Row(props: {
  cursor: Cursor;
  id: string;
  class?: string;
  children: ComponentChildren;
}) {
  const isAt = props.cursor.id.value === props.id;
  return (
    <li
      class={`row ${isAt ? "is-at" : ""} ${props.class ?? ""}`}
      data-row={props.id}
      onFocusCapture={() => (props.cursor.id.value = props.id)}
    >
      {props.children}
    </li>
  );
}
