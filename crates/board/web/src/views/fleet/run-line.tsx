/** A run on a machine, in a line. */

import type { RunningRun } from "../../api/types";
import { latestOf } from "../../state/passing";
import { taskPath } from "../../state/paths";
import { Ago, Link, Shape } from "../../ui/basics";
import { Percent } from "../../ui/progress";
import { usageWords } from "../../ui/words";

/** Shows the line. */
export function RunLine({ run }: { run: RunningRun }) {
  const { progress, usage } = latestOf(run.task_id, run.run, run);
  const used = usageWords(usage);
  const name = run.title || run.task_id;
  return (
    <li class="line run">
      <Shape kind={run.kind === "review" ? "review" : "running"} />
      <Link class="title" to={taskPath(run.task_id)}>
        {name}
      </Link>
      <span class="dim">
        {run.agent ?? "an agent"} · {run.kind === "review" && "reviews · "}
        <Ago at={run.started_at} suffix="" />
      </span>
      {progress?.message && <span class="quote">{progress.message}</span>}
      <Percent percent={progress?.percent} label={`Progress of ${name}`} />
      {used && <span class="dim">{used}</span>}
    </li>
  );
}
