/** Why nobody gets the task now: all the reasons, and what can be done about them. */

import { useEffect } from "preact/hooks";

import type { Reason, Task, Why } from "../../api/types";
import { instant, now } from "../../state/clock";
import { editTask } from "../../state/decisions";
import { canDecide } from "../../state/session";
import { Button, Link, Until } from "../../ui/basics";
import { invalidateTask } from "./queries";

/** Reasons that do not keep the task from being claimed. */
const ADVISORY = ["no_machine", "needs_intervention"];
/** A reason that has ended is read again after this, because the server's jobs end it. */
const ENDED_MS = 1_500;

/** Shows the panel; nothing of what is finished, or only waits for a verdict. */
export function WhyPanel({ task, why }: { task: Task; why: Why }) {
  useRereadAt(task.id, why);
  const isOver = why.reasons.some(({ code }) => code === "finished");
  const isForPeople = task.queue === "provisional" && why.claimable;
  if (isOver || isForPeople) return null;
  return (
    <section class="why" aria-labelledby="why">
      <h2 id="why">{why.claimable ? "What is known" : "Why it waits"}</h2>
      {why.claimable && <p>Nothing keeps it from being claimed.</p>}
      <ul class="plain reasons">
        {why.reasons.map((reason, index) => (
          <li key={index} class={ADVISORY.includes(reason.code) ? "dim" : ""}>
            <ReasonLine task={task} reason={reason} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function ReasonLine({ task, reason }: { task: Task; reason: Reason }) {
  const change = (fields: object) => void editTask(task, fields).then(() => invalidateTask(task.id));
  return (
    <>
      <span class="reason-code">{reason.code.replaceAll("_", " ")}</span> {reason.text}
      {reason.until && instant(reason.until) > now.value && (
        <>
          {" "}
          (<Until at={reason.until} />)
        </>
      )}
      {reason.task_id && (
        <>
          {" "}
          · <Link to={`/tasks/${encodeURIComponent(reason.task_id)}`}>show that task</Link>
        </>
      )}
      {reason.holder && task.orchestrator_id && (
        <>
          {" "}
          · <Link to={`/fleet/${encodeURIComponent(task.orchestrator_id)}`}>show its machine</Link>
        </>
      )}{" "}
      {canDecide.value && reason.code === "not_before" && (
        <Button class="small" onClick={() => change({ not_before: null })}>
          Try it now
        </Button>
      )}
      {canDecide.value && reason.code === "needs_intervention" && (
        <Button class="small" onClick={() => change({ needs_intervention: false })}>
          Take the flag off
        </Button>
      )}
    </>
  );
}

/** Reads the reasons again when the first of them has ended. */
function useRereadAt(id: string, why: Why): void {
  const ends = why.reasons.flatMap(({ until }) => (until ? [instant(until)] : []));
  const first = Math.min(...ends.filter((end) => end > now.peek()));
  useEffect(() => {
    if (!Number.isFinite(first)) return undefined;
    const wait = first - now.peek() + ENDED_MS;
    // Longer times do not fit into a timer, and the page is read again until then.
    if (wait > 2 ** 31 - 1) return undefined;
    const timer = window.setTimeout(() => invalidateTask(id), wait);
    return () => window.clearTimeout(timer);
  }, [id, first]);
}
