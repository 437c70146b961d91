/** The work of a run: what it changed, its summary, and its checks. */

import type { RunDetails, Task } from "../../api/types";
import { Link, OuterLink, PlusMinus } from "../../ui/basics";
import { counted, usageWords } from "../../ui/words";
import { Checks } from "./checks";
import { hasFailed, resultOf } from "./result";
import { taskPath } from "../../state/paths";

/** Shows the work of a run. `isShort`: in a line. */
export function Evidence(props: { task: Task; run: RunDetails; isShort: boolean }) {
  const { task, run, isShort } = props;
  const result = resultOf(run);
  const failed = result.checks.filter(hasFailed).length;
  const usage = usageWords(run.usage);
  const page = taskPath(task.id);
  const isSubmitted = run.outcome === "submitted";
  return (
    <div class="evidence">
      {!isSubmitted && <Failure run={run} page={page} />}
      <p class="digest">
        {(result.patch || result.filesChanged !== undefined) && (
          <Link to={`${page}?tab=diff&run=${run.run}`}>
            <Changes {...result} />
          </Link>
        )}
        {run.verdict === "rejected" && <span class="is-failed">rejected</span>}
        {usage && <span class="dim">{usage}</span>}
        {isSubmitted && run.agent && <span class="dim">by {run.agent}</span>}
        {result.prUrl && <OuterLink url={result.prUrl}>pull request</OuterLink>}
        {isShort && result.checks.length > 0 && (
          <Link to={page} class={failed > 0 ? "is-failed" : "is-done"}>
            {failed > 0
              ? `✕ ${counted(failed, "check")} failed`
              : `✓ ${counted(result.checks.length, "check")}`}
          </Link>
        )}
      </p>
      {!isShort && result.summary && <p class="prose summary">{result.summary}</p>}
      {!isShort && <Checks checks={result.checks} />}
    </div>
  );
}

/** How an attempt ended that handed nothing in. */
function Failure({ run, page }: { run: RunDetails; page: string }) {
  const { outcome, reason, message } = run;
  return (
    <p>
      <span class={outcome === "failed" || outcome === "lapsed" ? "is-failed" : "dim"}>
        {run.attempt ? `Attempt ${run.attempt}` : "The run"} of {run.agent ?? "an agent"} {outcome}
        {reason && `: ${reason.replaceAll("_", " ")}`}
      </span>{" "}
      {message && <span class="prose">{message}</span>}{" "}
      <Link to={`${page}?tab=log&run=${run.run}`}>Its log</Link>
    </p>
  );
}

/** How much was changed: `+26 −15 in 9 files`. */
export function Changes(props: {
  insertions: number | undefined;
  deletions: number | undefined;
  filesChanged: number | undefined;
}) {
  const { insertions, deletions, filesChanged } = props;
  if (insertions === undefined && filesChanged === undefined) return <>the changes</>;
  return (
    <>
      {insertions !== undefined && <PlusMinus plus={insertions} minus={deletions ?? 0} />}
      {filesChanged !== undefined && ` in ${counted(filesChanged, "file")}`}
    </>
  );
}
