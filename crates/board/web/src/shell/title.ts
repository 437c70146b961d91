/** The title of the window. */

import { useEffect } from "preact/hooks";

import { scope } from "../state/session";

/** Names the view in the window's title. */
export function useTitle(view: string): void {
  const title = [view, scope.value, "Octopoid"].filter(Boolean).join(" · ");
  useEffect(() => {
    document.title = title;
  }, [title]);
}
