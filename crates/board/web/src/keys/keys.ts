/** Keyboard shortcuts, and the list of them that `?` shows. */

import { signal } from "@preact/signals";
import { useLayoutEffect, useMemo } from "preact/hooks";

/** A key, or two in a row such as `g t`, and what it does. */
export interface Binding {
  keys: string;
  /** What it does, for the list of keys and the palette. */
  label: string;
  run: () => void;
  /** The group in the list of keys. */
  group?: string;
  /** Whether it is repeated while the key is held. */
  isRepeated?: boolean;
}

/** How long the second key of two is waited for, in milliseconds. */
const SECOND_MS = 1_200;

/** The keys of a component. They change with what it shows. */
interface Registration {
  current: readonly Binding[];
}

/** The components with keys; those that were shown last come first. */
const registrations = signal<readonly Registration[]>([]);

/** The bindings in effect. Of two with the same keys, the first is used. */
export function currentBindings(): Binding[] {
  return registrations.value.flatMap((registration) => registration.current);
}

let first = "";
let firstAt = 0;

/** Binds keys while a component is shown. */
export function useKeys(own: readonly Binding[]): void {
  const registration = useMemo<Registration>(() => ({ current: own }), []);
  // Before the next event, so that a key never acts on the row before.
  useLayoutEffect(() => {
    registration.current = own;
  });
  useLayoutEffect(() => {
    registrations.value = [registration, ...registrations.value];
    return () => {
      registrations.value = registrations.value.filter((known) => known !== registration);
    };
  }, []);
}

/** Follows the keyboard. */
export function startKeys(): void {
  window.addEventListener("keydown", onKey);
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.altKey) return;
  const isPalette = (event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k";
  if (!isPalette && (event.metaKey || event.ctrlKey)) return;
  if (!isPalette && event.key !== "Escape" && isTyping(event.target)) return;
  // Enter and space belong to the control that has the focus.
  if (event.key === "Enter" && isControl(event.target)) return;
  const key = isPalette ? "mod+k" : event.key;
  const isSecond = first !== "" && event.timeStamp - firstAt < SECOND_MS;
  const pressed = isSecond ? `${first} ${key}` : key;
  first = "";
  const binding = currentBindings().find((known) => known.keys === pressed);
  if (binding) {
    event.preventDefault();
    if (!event.repeat || binding.isRepeated) binding.run();
  } else if (currentBindings().some((known) => known.keys.startsWith(`${key} `))) {
    first = key;
    firstAt = event.timeStamp;
  }
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  const isText = target instanceof HTMLInputElement && target.type !== "checkbox";
  return isText || target.matches("textarea, select, [contenteditable]");
}

function isControl(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("a, button, summary, [role=button]");
}
