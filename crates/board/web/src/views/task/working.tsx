/** A run in progress: how far it is, what it has used, and how long its lease lasts. */

import type { Run, Task } from "../../api/types";
import { latestOf, type Latest } from "../../state/passing";
import { taskPath } from "../../state/paths";
import { Ago, Link } from "../../ui/basics";
import { Lease, Percent } from "../../ui/progress";
import { usageWords } from "../../ui/words";

/** What is known of a run. After its end, what the API returns is newer than its reports. */
export function latestOfRun(run: Run): Latest {
  return latestOf(run.task_id, run.outcome === "running" ? run.run : undefined, run);
}

/** Shows the run, and leads to its log. */
export function Working({ task, run }: { task: Task; run: Run }) {
  const { usage, leaseEnd } = latestOfRun(run);
  const used = usageWords(usage);
  const page = taskPath(task.id);
  return (
    <div class="working">
      <Progressing run={run} />
      <p class="digest">
        <Lease until={leaseEnd ?? task.lease_expires_at} />
        {used && <span class="dim">{used}</span>}
        <Link to={`${page}?tab=log`}>Follow its log</Link>
        <Link to={`${page}?tab=thread`}>Write to it</Link>
      </p>
    </div>
  );
}

/** What a run says of itself. */
export function Progressing({ run }: { run: Run }) {
  const { progress } = latestOfRun(run);
  if (!progress) return <p class="dim">It has not said yet how far it is.</p>;
  return (
    <p class="digest">
      {progress.message && <span class="quote">{progress.message}</span>}
      <Percent percent={progress.percent} label="Progress" />
      <span class="dim">
        <Ago at={progress.at} />
      </span>
    </p>
  );
}
