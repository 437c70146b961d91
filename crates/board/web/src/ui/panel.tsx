/** A panel at the side of a view. It closes by Escape, and gives the focus back. */

import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";

import { useKeys } from "../keys/keys";
import { Button } from "./basics";
import { useReturnedFocus } from "./focus";

/** Shows a panel above the right side of the view. */
export function Panel(props: { title: string; onClose: () => void; children: ComponentChildren }) {
  const title = useId();
  const panel = useRef<HTMLDivElement>(null);
  useKeys([{ keys: "Escape", label: "Close the panel", run: props.onClose, group: "Panels" }]);
  useReturnedFocus(panel);
  // Before the next event, so that keys typed at once reach the field.
  useLayoutEffect(() => {
    const first = panel.current?.querySelector<HTMLElement>(
      "[autofocus], input, textarea, select, button:not(.panel-close)",
    );
    (first ?? panel.current)?.focus();
  }, []);
  return (
    <div class="panel" role="dialog" aria-labelledby={title} ref={panel} tabIndex={-1}>
      <header class="panel-head">
        <h2 id={title}>{props.title}</h2>
        <Button kind="quiet" class="panel-close" onClick={props.onClose} aria-label="Close">
          ✕
        </Button>
      </header>
      {props.children}
    </div>
  );
}
