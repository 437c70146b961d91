/** A task that is flagged for a person. */

import type { ListedTask } from "../api/types";
import { editTask } from "../state/decisions";
import { canDecide } from "../state/session";
import { taskPath } from "../state/paths";
import { Ago, Button, Link, Shape, State } from "../ui/basics";
import { Row, type Cursor } from "../ui/rows";
import { NoticeLine, decisionOn } from "./notice";

/** Shows the row. */
export function FlaggedRow({ cursor, task }: { cursor: Cursor; task: ListedTask }) {
  const page = taskPath(task.id);
  const { notice, isGone } = decisionOn(task);
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
      <NoticeLine id={task.id} notice={notice} />
    </Row>
  );
}
