/** Why the task is not claimed now: all the reasons, and what can be done about them. */

import { useEffect } from "preact/hooks";

import type { Reason, Task, Why } from "../../api/types";
import { Blocker } from "../../decide/blocker";
import type { Titles } from "../../decide/wait-reason";
import { instant, now } from "../../state/clock";
import { editTask } from "../../state/decisions";
import { canDecide } from "../../state/session";
import { machinePath } from "../../state/paths";
import { Button, Link, Until } from "../../ui/basics";
import { Said } from "../../ui/said";
import { invalidateTask } from "./queries";

/** Reasons that do not keep the task from being claimed. */
const ADVISORY = ["no_machine", "needs_intervention"];
/** How long after the end of a reason the reasons are read again: the server's jobs end it. */
const ENDED_MS = 1_500;
/** How often the reasons are read again until then, in milliseconds. */
const AGAIN_MS = 5_000;

/** Shows the panel; nothing of what is finished, or only waits for a verdict. */
export function WhyPanel(props: { task: Task; why: Why; titles: Titles }) {
  const { task, why, titles } = props;
  useRereadAt(task.id, why);
  const isOver = why.reasons.some(({ code }) => code === "finished");
  const isForPeople = task.queue === "provisional" && why.claimable;
  if (isOver || isForPeople) return null;
  const isHeld = why.reasons.some(({ code }) => code === "held");
  return (
    <section class="why" aria-labelledby="why">
      <h2 id="why">{isHeld ? "Who has it" : "Why it waits"}</h2>
      {why.claimable && <p>Nothing keeps it from being claimed: the next free agent gets it.</p>}
      <ul class="plain reasons">
        {why.reasons.map((reason, index) => (
          <li key={index} class={ADVISORY.includes(reason.code) ? "dim" : ""}>
            <ReasonText task={task} reason={reason} titles={titles} />
            <Remedy task={task} reason={reason} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A reason in words. What the board can say more plainly than the server, it says itself. */
function ReasonText(props: { task: Task; reason: Reason; titles: Titles }) {
  const { task, reason, titles } = props;
  const { code, text, until, task_id, holder } = reason;
  if (task_id) {
    return (
      <span>
        <Blocker id={task_id} words="It waits for" text={text} titles={titles} />
      </span>
    );
  }
  if (code === "held" && task.orchestrator_id) {
    return (
      <span>
        {holder ?? "An agent"} has it, on{" "}
        <Link to={machinePath(task.orchestrator_id)}>
          {task.orchestrator_id}
        </Link>
      </span>
    );
  }
  return (
    <span>
      {PLAIN[code] ?? <Said text={text} />}
      {until && instant(until) > now.value && (
        <>
          {" "}
          (<Until at={until} />)
        </>
      )}
    </span>
  );
}

const PLAIN: Partial<Record<Reason["code"], string>> = {
  awaiting_input: "An agent has asked, and waits for the answer",
  not_before: "It is delayed by a failed attempt or by a person",
  needs_intervention: "It is flagged for a person",
};

/** What can be done about a reason, in one press. */
function Remedy({ task, reason }: { task: Task; reason: Reason }) {
  if (!canDecide.value) return null;
  const change = (fields: object) =>
    void editTask(task, fields).then(() => invalidateTask(task.id));
  switch (reason.code) {
    case "not_before":
      return (
        <Button class="small" onClick={() => change({ not_before: null })}>
          Try it now
        </Button>
      );
    case "needs_intervention":
      return (
        <Button class="small" onClick={() => change({ needs_intervention: false })}>
          Take the flag off
        </Button>
      );
    case "paused":
      return <Link to="/fleet">Show the pauses</Link>;
    default:
      return null;
  }
}

/** Reads the reasons again when one of them has ended, until the server has ended it too. */
function useRereadAt(id: string, why: Why): void {
  useEffect(() => {
    const ends = why.reasons.flatMap(({ until }) => (until ? [instant(until)] : []));
    if (ends.length === 0) return undefined;
    const rest = Math.min(...ends) - now.peek();
    const wait = rest > 0 ? rest + ENDED_MS : AGAIN_MS;
    // A longer time does not fit into a timer. The page is read again before it has passed.
    if (wait > 2 ** 31 - 1) return undefined;
    const timer = window.setTimeout(() => invalidateTask(id), wait);
    return () => window.clearTimeout(timer);
  }, [id, why]);
}
