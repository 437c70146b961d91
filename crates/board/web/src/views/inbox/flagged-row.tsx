/** A task that is flagged for a person. */

import type { ListedTask } from "../../api/types";
import { dismissNotice, editTask, noticeOf } from "../../state/decisions";
import { canDecide } from "../../state/session";
import { Ago, Button, Link, Shape, State } from "../../ui/basics";
import { Row, type Cursor } from "../../ui/rows";

/** Shows the row. */
export function FlaggedRow({ cursor, task }: { cursor: Cursor; task: ListedTask }) {
  const page = `/tasks/${encodeURIComponent(task.id)}`;
  const notice = noticeOf(task);
  const isGone = notice?.kind === "pending" || notice?.kind === "done";
  return (
    <Row cursor={cursor} id={task.id} class={isGone ? "is-gone" : ""}>
      <div class="line">
        <Shape kind="needs-you" />
        <span class="word">flagged</span>
        <Link class="title" to={page}>
          {task.title || task.id}
        </Link>
        <State queue={task.queue} />
        <span class="dim">
          changed <Ago at={task.updated_at} />
        </span>
        {canDecide.value && (
          <span class="buttons">
            <Button
              isBusy={isGone}
              onClick={() => void editTask(task, { needs_intervention: false })}
            >
              Clear the flag
            </Button>
          </span>
        )}
      </div>
      {task.execution_notes && <p class="prose sub">{task.execution_notes}</p>}
      {notice && (
        <p class={`notice is-${notice.kind}`} role="status">
          {notice.text}{" "}
          {notice.kind === "refused" && (
            <Button kind="quiet" onClick={() => dismissNotice(task.id)}>
              Dismiss
            </Button>
          )}
        </p>
      )}
    </Row>
  );
}
