/** Which rows of a long list are in sight. Only they are in the page. */

import { useSignal, type ReadonlySignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

import type { Seen } from "./list";

/** How many rows beyond those in sight are in the page, so that scrolling shows no gap. */
const MARGIN = 12;
/** The height that is assumed before the list is laid out, in pixels. */
const HEIGHT = 640;

/** Returns which rows of the height `rowHeight` are in the page. */
export function useSeen(
  scroller: RefObject<HTMLElement | null>,
  rowHeight: number,
): ReadonlySignal<Seen> {
  const seen = useSignal<Seen>({ first: 0, last: Math.ceil(HEIGHT / rowHeight) + MARGIN });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const look = () => {
      const top = Math.max(0, element.scrollTop);
      const first = Math.max(0, Math.floor(top / rowHeight) - MARGIN);
      const last = Math.ceil((top + (element.clientHeight || HEIGHT)) / rowHeight) + MARGIN;
      const before = seen.value;
      if (before.first !== first || before.last !== last) seen.value = { first, last };
    };
    look();
    const resized = new ResizeObserver(look);
    resized.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      resized.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [rowHeight]);
  return seen;
}

/** Scrolls as far as it takes to see a row whole. `head` is what covers the rows at the top. */
export function showRow(element: HTMLElement, row: number, rowHeight: number, head: number): void {
  const top = row * rowHeight;
  const height = element.clientHeight - head;
  if (top < element.scrollTop) element.scrollTop = top;
  else if (top + rowHeight > element.scrollTop + height) {
    element.scrollTop = top + rowHeight - height;
  }
}

/** The heights of rows: two lines on a telephone, larger where a finger points. */
const NARROW = window.matchMedia("(max-width: 720px)");
const COARSE = window.matchMedia("(pointer: coarse)");

/** The height of a row in pixels, which the style sheet is told. */
export function useRowHeight(): number {
  const height = useSignal(rowHeightNow());
  useLayoutEffect(() => {
    const change = () => (height.value = rowHeightNow());
    const media = [NARROW, COARSE];
    media.forEach((query) => query.addEventListener("change", change));
    return () => media.forEach((query) => query.removeEventListener("change", change));
  }, []);
  return height.value;
}

function rowHeightNow(): number {
  if (NARROW.matches) return 60;
  return COARSE.matches ? 44 : 32;
}
