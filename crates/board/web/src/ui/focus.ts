/** The field in which one begins to write. */

import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** Gives the focus to an element once, when it is first shown. */
export function useFocus<T extends HTMLElement>(): RefObject<T | null> {
  const element = useRef<T>(null);
  useEffect(() => element.current?.focus(), []);
  return element;
}
