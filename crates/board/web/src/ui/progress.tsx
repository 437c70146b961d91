/** How far a run is, and how long its lease lasts. */

import { countdown, instant, now } from "../state/clock";

/** Shows a percentage from 0 to 100 as a bar and as a number; nothing if it is not known. */
export function Percent(props: { percent: number | null | undefined; label: string }) {
  const { percent, label } = props;
  if (typeof percent !== "number") return null;
  return (
    <span class="percent">
      <Progress percent={percent} label={label} /> <span>{Math.round(percent)} %</span>
    </span>
  );
}

/** Shows a percentage from 0 to 100 as a bar. */
export function Progress({ percent, label }: { percent: number; label: string }) {
  return <progress class="progress" max={100} value={percent} aria-label={label} />;
}

/** Shows the rest of a lease; nothing if its end is not known. */
export function Lease({ until }: { until: string | null | undefined }) {
  if (!until) return null;
  const rest = instant(until) - now.value;
  if (rest <= 0) return <span class="is-needs-you">lease lapsed</span>;
  return (
    <span class="dim" title="The lease ends then, unless it is renewed">
      lease {countdown(rest)}
    </span>
  );
}
