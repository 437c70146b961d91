/** What a run does now: how far it is, what it has used, and how long its lease lasts. */

import type { Run, Task } from "../../api/types";
import { countdown, instant, now } from "../../state/clock";
import { toldRuns, type Told } from "../../state/passing";
import { taskPath } from "../../state/paths";
import { Ago, Link, Progress } from "../../ui/basics";
import { usageWords } from "../../ui/words";

/** The latest that a stream has told of a run. */
export function toldOf(run: Run): Told | undefined {
  const told = toldRuns.value.get(run.task_id);
  return told?.run === run.run && run.outcome === "running" ? told : undefined;
}

/** Shows the run, and leads to its log. */
export function Working({ task, run }: { task: Task; run: Run }) {
  const told = toldOf(run);
  const usage = usageWords(told?.usage ?? run.usage);
  const lease = told?.lease_expires_at ?? task.lease_expires_at;
  const rest = lease ? instant(lease) - now.value : undefined;
  const page = taskPath(task.id);
  return (
    <div class="working">
      <Progressing run={run} />
      <p class="digest">
        {rest !== undefined && (
          <span class={rest > 0 ? "dim" : "is-needs-you"} title="It ends then unless it is renewed">
            {rest > 0 ? `lease ${countdown(rest)}` : "lease lapsed"}
          </span>
        )}
        {usage && <span class="dim">{usage}</span>}
        <Link to={`${page}?tab=log`}>Follow its log</Link>
        <Link to={`${page}?tab=thread`}>Write to it</Link>
      </p>
    </div>
  );
}

/** What a run says of itself. */
export function Progressing({ run }: { run: Run }) {
  const told = toldOf(run);
  const progress = told?.message !== undefined ? told : run.progress;
  if (!progress) return <p class="dim">It has not said yet how far it is.</p>;
  return (
    <p class="digest">
      {progress.message && <span class="quote">{progress.message}</span>}
      {typeof progress.percent === "number" && (
        <span class="percent">
          <Progress percent={progress.percent} label="Progress" /> {Math.round(progress.percent)} %
        </span>
      )}
      <span class="dim">
        <Ago at={progress.at} />
      </span>
    </p>
  );
}
