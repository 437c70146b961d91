/** The field in which one begins to write. */

import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** Gives the focus to an element once, when it is first shown. */
export function useFocus<T extends HTMLElement>(): RefObject<T | null> {
  const element = useRef<T>(null);
  // At once: what is typed next must not be taken for keys.
  useLayoutEffect(() => element.current?.focus(), []);
  return element;
}
