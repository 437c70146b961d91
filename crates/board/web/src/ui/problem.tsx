/** Why something could not be done, in the words of the server. */

import type { ComponentChildren } from "preact";

import { Button } from "./basics";

/** Shows the text; nothing without one. `onRetry` adds a button that tries again. */
export function Problem(props: {
  text: string | undefined;
  onRetry?: () => void;
  /** What follows the text. */
  children?: ComponentChildren;
}) {
  const { text, onRetry, children } = props;
  if (!text) return null;
  return (
    <p class="problem" role="alert">
      {text}
      {children}
      {onRetry && (
        <>
          {" "}
          <Button kind="quiet" onClick={onRetry}>
            Try again
          </Button>
        </>
      )}
    </p>
  );
}
