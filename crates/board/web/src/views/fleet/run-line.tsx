/** A run on a machine, in a line. */

import type { RunningRun } from "../../api/types";
import { toldRuns } from "../../state/passing";
import { taskPath } from "../../state/paths";
import { Ago, Link, Progress, Shape } from "../../ui/basics";
import { usageWords } from "../../ui/words";

/** Shows the line. */
export function RunLine({ run }: { run: RunningRun }) {
  const told = toldRuns.value.get(run.task_id);
  const known = told && told.run === run.run ? told : undefined;
  const progress = known?.message !== undefined ? known : run.progress;
  const usage = usageWords(known?.usage ?? run.usage);
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
      {typeof progress?.percent === "number" && (
        <span class="percent">
          <Progress percent={progress.percent} label={`Progress of ${name}`} />{" "}
          {Math.round(progress.percent)} %
        </span>
      )}
      {usage && <span class="dim">{usage}</span>}
    </li>
  );
}
