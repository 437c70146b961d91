/** A task that is flagged for a person. */

import type { ListedTask } from "../api/types";
import { editTask } from "../state/decisions";
import { canDecide } from "../state/session";
import { Ago, Button, State } from "../ui/basics";
import type { Cursor } from "../ui/rows";
import { DecisionRow } from "./decision-row";
import { NoticeLine, decisionOn } from "./notice";

/** Shows the row. */
export function FlaggedRow({ cursor, task }: { cursor: Cursor; task: ListedTask }) {
  const { notice, isGone } = decisionOn(task);
  const more = (
    <>
      {task.execution_notes && <p class="prose sub">{task.execution_notes}</p>}
      <NoticeLine id={task.id} notice={notice} />
    </>
  );
  return (
    <DecisionRow cursor={cursor} task={task} word="flagged" isGone={isGone} more={more}>
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
    </DecisionRow>
  );
}
