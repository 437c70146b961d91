/** The title of the window. */

import { useLayoutEffect } from "preact/hooks";

import { scope } from "../state/session";

/** Names the view in the window's title. */
export function useTitle(view: string): void {
  const title = [view, scope.value, "Octopoid"].filter(Boolean).join(" · ");
  // With the view, so that what reads the title of a view never reads that of the last one.
  useLayoutEffect(() => {
    document.title = title;
  }, [title]);
}
