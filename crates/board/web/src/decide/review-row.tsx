/** A row about work that waits for a verdict, with what there is to decide. */

import type { ListedTask } from "../api/types";
import { accept } from "../state/decisions";
import { canDecide } from "../state/session";
import { taskPath } from "../state/paths";
import { Ago, Button, Link, PlusMinus } from "../ui/basics";
import type { Cursor } from "../ui/rows";
import { counted, usageWords } from "../ui/words";
import { DecisionRow } from "./decision-row";
import { NoticeLine, decisionOn } from "./notice";
import { RejectForm } from "./reject-form";
import { rejecting } from "./review-keys";

/** Shows the row. */
export function ReviewRow({ cursor, task }: { cursor: Cursor; task: ListedTask }) {
  const { notice, isGone } = decisionOn(task);
  const more = (
    <>
      <NoticeLine id={task.id} notice={notice} />
      {rejecting.value === task.id && <RejectForm task={task} />}
    </>
  );
  return (
    <DecisionRow cursor={cursor} task={task} word="review" isGone={isGone} more={more}>
      <Digest task={task} />
      <span class="dim">{task.submitted_at && <Ago at={task.submitted_at} suffix="" />}</span>
      <span class="buttons">
        <Link class="button is-plain" to={`${taskPath(task.id)}?tab=diff`}>
          Diff
        </Link>
        {canDecide.value && (
          <>
            <Button isBusy={isGone} onClick={() => void accept(task)}>
              Accept
            </Button>
            <Button isBusy={isGone} onClick={() => (rejecting.value = task.id)}>
              Reject…
            </Button>
          </>
        )}
      </span>
    </DecisionRow>
  );
}

/** What the work has changed, its checks and its cost, in short. */
export function Digest({ task }: { task: ListedTask }) {
  const run = task.last_run;
  if (!run) return null;
  const { checks } = run;
  const usage = usageWords(run.usage);
  return (
    <span class="digest">
      {typeof run.insertions === "number" && (
        <span>
          <PlusMinus plus={run.insertions} minus={run.deletions ?? 0} />
        </span>
      )}
      {typeof run.files_changed === "number" && <span>{counted(run.files_changed, "file")}</span>}
      {checks && checks.passed + checks.failed > 0 && (
        <span class={checks.failed > 0 ? "is-failed" : "is-done"}>
          {checks.failed > 0
            ? `✕ ${counted(checks.failed, "check")} failed`
            : `✓ ${counted(checks.passed, "check")}`}
        </span>
      )}
      {usage && <span class="dim">{usage}</span>}
    </span>
  );
}
