/** What is paused, why, and until when. */

import { deletePause } from "../../api/endpoints";
import type { Pause } from "../../api/types";
import { now, timeOfDay } from "../../state/clock";
import { queryNamed } from "../../state/queries";
import { canDecide } from "../../state/session";
import { Confirmed, useAttempt } from "../../ui/attempt";
import { Ago, Until } from "../../ui/basics";
import { Problem } from "../../ui/problem";
import { targetWords } from "./pause-words";
import { pausesQuery } from "./queries";

/** Shows the pauses that have not ended. */
export function Pauses({ pauses }: { pauses: readonly Pause[] }) {
  const open = pauses.filter(({ until }) => !until || Date.parse(until) > now.value);
  if (open.length === 0) return <p class="dim">Nothing is paused.</p>;
  return (
    <ul class="rows">
      {open.map((pause) => (
        <PauseRow key={pause.target} pause={pause} />
      ))}
    </ul>
  );
}

function PauseRow({ pause }: { pause: Pause }) {
  const attempt = useAttempt();
  const end = () =>
    attempt.run(async () => {
      await deletePause(pause.target);
      queryNamed(pausesQuery).patch((list) => ({
        ...list,
        pauses: list.pauses.filter((other) => other.target !== pause.target),
      }));
    });
  return (
    <li class="row">
      <div class="line">
        <span class="pause-mark is-needs-you" aria-hidden="true">
          ▮▮
        </span>
        <span class="title">{targetWords(pause.target)}</span>
        <span>
          {pause.until ? (
            <>
              until {timeOfDay(pause.until)} (<Until at={pause.until} />)
            </>
          ) : (
            "until it is ended"
          )}
        </span>
        <span class="prose">{pause.reason}</span>
        <span class="dim">
          {pause.is_automatic ? "after a failed run, by" : "by"} {pause.by} ·{" "}
          <Ago at={pause.created_at} />
        </span>
        {canDecide.value && (
          <span class="buttons">
            <Confirmed
              label="End…"
              question={`Hand out ${targetWords(pause.target)} again?`}
              yes="End the pause"
              isBusy={attempt.isBusy}
              onYes={() => void end()}
            />
          </span>
        )}
      </div>
      <Problem text={attempt.problem} />
    </li>
  );
}
