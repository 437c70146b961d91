/** Shows a query: its data, its error, or, after a moment, that it is being read. */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

import type { ReadQuery } from "../state/queries";
import { Problem } from "./problem";

/** How long nothing is shown, so that a quick answer causes no flash, in milliseconds. */
const QUIET_MS = 150;

/** Shows the data, below an error if it could not be read again. */
export function Loaded<T>(props: {
  query: ReadQuery<T>;
  children: (data: T) => ComponentChildren;
  rows?: number;
}) {
  const data = props.query.data.value;
  const error = props.query.error.value;
  return (
    <>
      <Problem text={error?.message} onRetry={() => void props.query.read()} />
      {data !== undefined ? props.children(data) : !error && <Outline rows={props.rows ?? 3} />}
    </>
  );
}

/** The outline of rows that are being read. */
export function Outline({ rows }: { rows: number }) {
  const [isShown, show] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => show(true), QUIET_MS);
    return () => window.clearTimeout(timer);
  }, []);
  if (!isShown) return null;
  return (
    <div class="outline" role="status" aria-label="Reading">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} class="outline-row" />
      ))}
    </div>
  );
}
