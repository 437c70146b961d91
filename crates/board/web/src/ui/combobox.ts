/** A field with suggestions, in a list below it that arrow keys move through. */

import { useSignal, type Signal } from "@preact/signals";
import { useId } from "preact/hooks";

import { isSend } from "./form";

/** What such a field needs. */
interface Options<T> {
  /** What is typed. */
  text: Signal<string>;
  /** What is offered; nothing while the list is closed. */
  items: readonly T[];
  choose: (item: T) => void;
  /** What another key does. Returns whether it does anything. */
  onOtherKey: (key: string) => boolean;
}

/** The field's attributes, the id of the list, the place in it, and what chooses an item. */
export function useCombobox<T>({ text, items, choose, onOtherKey }: Options<T>) {
  const place = useSignal(0);
  const list = useId();
  const pick = (item: T) => {
    place.value = 0;
    choose(item);
  };
  // There may be fewer items than there were.
  const at = Math.max(0, Math.min(place.value, items.length - 1));
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const isEnter = event.key === "Enter" && !isSend(event);
    const item = items[at];
    if (by !== undefined) place.value = moved(at, by, items.length);
    else if (isEnter && item !== undefined) pick(item);
    else if (!isEnter && !onOtherKey(event.key)) return;
    event.preventDefault();
  };
  const isOpen = items.length > 0;
  const field = {
    role: "combobox",
    "aria-expanded": isOpen,
    "aria-controls": isOpen ? list : undefined,
    "aria-autocomplete": "list",
    "aria-activedescendant": isOpen ? `${list}-${at}` : undefined,
    spellcheck: false,
    value: text.value,
    onInput: (event: { currentTarget: HTMLInputElement }) => {
      text.value = event.currentTarget.value;
      place.value = 0;
    },
    onKeyDown,
  } as const;
  return { field, list, place, at, pick };
}

/** The place `by` steps from `place` among `count` places. After the last comes the first. */
export function moved(place: number, by: number, count: number): number {
  return count === 0 ? 0 : (place + by + count) % count;
}
