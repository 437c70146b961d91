/** What was done in the last 24 hours, hour by hour. */

import type { Summary } from "../../api/types";
import { timeOfDay } from "../../state/clock";
import { dollars } from "../../ui/words";

/** Shows the counts, and a bar for each hour. */
export function Today({ summary }: { summary: Summary }) {
  const { hours } = summary;
  const done = hours.reduce((sum, hour) => sum + hour.done, 0);
  const failed = hours.reduce((sum, hour) => sum + hour.failed, 0);
  const cost = hours.reduce((sum, hour) => sum + Number(hour.cost_usd), 0);
  const finished = hours.map((hour) => hour.done + hour.failed);
  const most = Math.max(1, ...finished);
  return (
    <section aria-labelledby="today" class="today">
      <h2 id="today">Last 24 hours</h2>
      <p>
        <span class="is-done">done {done}</span> ·{" "}
        <span class={failed > 0 ? "is-failed" : ""}>failed {failed}</span>
        {cost > 0 && ` · ${dollars(String(cost))}`}
      </p>
      <svg
        class="bars"
        viewBox={`0 0 ${hours.length * 10} 40`}
        role="img"
        aria-label={`Tasks finished by hour: ${finished.join(", ")}`}
      >
        {hours.map((hour, index) => {
          const x = index * 10 + 1;
          const good = (hour.done / most) * 36;
          const bad = (hour.failed / most) * 36;
          return (
            <g key={hour.hour}>
              <title>{`${timeOfDay(hour.hour)}: ${hour.done} done, ${hour.failed} failed`}</title>
              <rect class="bar-base" x={x} y={38} width={8} height={2} />
              <rect class="bar-done" x={x} y={38 - good} width={8} height={good} />
              <rect class="bar-failed" x={x} y={38 - good - bad} width={8} height={bad} />
            </g>
          );
        })}
      </svg>
    </section>
  );
}
