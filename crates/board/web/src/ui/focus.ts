/** The focus: given to a first field, returned after a dialog, and lost by a press outside. */

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

/** Gives the focus to an element once, when it is first shown. */
export function useFirstFocus<T extends HTMLElement>(): RefObject<T | null> {
  const element = useRef<T>(null);
  // Before the next event, so that keys typed at once reach the field.
  useLayoutEffect(() => element.current?.focus(), []);
  return element;
}

/**
 * Returns the focus, when `box` is removed, to the element that had it before `box` was shown. A
 * command may have moved the focus out of `box` on purpose: then the focus stays where it is.
 * Call this before any effect that moves the focus into `box`.
 */
export function useReturnedFocus(box: RefObject<HTMLElement | null>): void {
  // A layout effect ends before `box` leaves the page and loses the focus.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const element = box.current;
    return () => {
      const at = document.activeElement;
      const isLeft = at !== null && at !== document.body && !element?.contains(at);
      if (!isLeft && before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
}

/** Calls `onPress` when the pointer is pressed outside of the element that `boxOf` returns. */
export function usePressOutside(boxOf: () => Element | null, onPress: () => void): void {
  useEffect(() => {
    const press = (event: PointerEvent) => {
      if (!boxOf()?.contains(event.target as Node)) onPress();
    };
    document.addEventListener("pointerdown", press);
    return () => document.removeEventListener("pointerdown", press);
  }, []);
}
