/** A row of the table. */

import type { ReadonlySignal, Signal } from "@preact/signals";
import type { TargetedMouseEvent } from "preact";

import type { ListedTask } from "../../api/types";
import type { ChangeName } from "../../bulk/changes";
import type { Titles } from "../../decide/wait-reason";
import { accept, decide, noticeOf } from "../../state/decisions";
import { canDecide, userName } from "../../state/session";
import { taskPath } from "../../state/paths";
import { Ago, Button, Link, State } from "../../ui/basics";
import { counted } from "../../ui/words";
import { belongs, type Filter } from "./filter";
import type { Selection } from "./selection";
import { Status } from "./status";

/** What the rows of a table share. */
export interface Shared {
  filter: Filter;
  selection: Selection;
  /** The task under the cursor. */
  at: Signal<string | undefined>;
  titles: ReadonlySignal<Titles>;
  /** Selects or deselects a row; with `isRange` also those between it and the last one. */
  pick: (id: string, is: boolean, isRange: boolean) => void;
  /** Opens a change of one task. */
  change: (name: ChangeName, task: ListedTask) => void;
}

/** Shows a task. `place` is its place in the list, from 0. */
export function TaskRow(props: { task: ListedTask; place: number; shared: Shared }) {
  const { task, place, shared } = props;
  const { selection, at } = shared;
  const isAt = at.value === task.id;
  const isPicked = selection.has(task.id);
  const isGone = !belongs(task, shared.filter) || task.queue === "deleted";
  const point = (event: TargetedMouseEvent<HTMLElement>) => {
    if (!(event.target as HTMLElement).closest("a, button, input")) at.value = task.id;
  };
  // Who worked on it last is paler than who works on it now.
  const past = task.claimed_by ? "" : "dim";
  const names = ["task-row", isAt && "is-at", isPicked && "is-picked", isGone && "is-gone"];
  return (
    <div
      role="row"
      aria-rowindex={place + 2}
      class={names.filter(Boolean).join(" ")}
      data-row={task.id}
      onClick={point}
      onFocusCapture={() => (at.value = task.id)}
    >
      <Pick task={task} isPicked={isPicked} shared={shared} />
      <span role="cell" class="cell-state">
        <State queue={task.queue} />
        <Flag task={task} />
      </span>
      <span role="cell" class="cell-title">
        <span class="priority">{task.priority}</span>
        <Link class="title" to={taskPath(task.id)} title={task.title ?? task.id}>
          {task.title || task.id}
        </Link>
      </span>
      <span role="cell" class="cell-what">
        <Status task={task} titles={shared.titles.value} />
      </span>
      <span role="cell" class="cell-role">{task.role}</span>
      <span role="cell" class={`cell-agent ${past}`}>
        {task.claimed_by ?? task.last_run?.agent}
      </span>
      <span role="cell" class={`cell-machine ${past}`}>
        {task.orchestrator_id ?? task.last_run?.orchestrator_id}
      </span>
      <span role="cell" class="cell-attempts">
        <Attempts task={task} />
      </span>
      <span role="cell" class="cell-age dim">
        <Ago at={task.created_at} suffix="" />
      </span>
      {canDecide.value && <Actions task={task} shared={shared} />}
    </div>
  );
}

function Pick(props: { task: ListedTask; isPicked: boolean; shared: Shared }) {
  const { task, isPicked, shared } = props;
  return (
    <span role="cell" class="cell-pick">
      {canDecide.value && (
        <label>
          <input
            type="checkbox"
            checked={isPicked}
            aria-label={`Select ${task.title || task.id}`}
            onClick={(event) => shared.pick(task.id, event.currentTarget.checked, event.shiftKey)}
          />
        </label>
      )}
    </span>
  );
}

/** Marks a task that is flagged for a person. */
function Flag({ task }: { task: ListedTask }) {
  if (!task.needs_intervention) return null;
  return (
    <span class="is-needs-you flag" title="Flagged for you" role="img" aria-label="flagged for you">
      ▲
    </span>
  );
}

/** How often work on a task was begun, and how it went. */
function Attempts({ task }: { task: ListedTask }) {
  const count = task.last_run?.attempt ?? task.run;
  if (!count) return null;
  const { failure_count: failed, rejection_count: rejected } = task;
  const told = [counted(count, "attempt")];
  if (failed > 0) told.push(`${failed} failed`);
  if (rejected) told.push(`${rejected} rejected`);
  return (
    <span title={told.join(", ")} class={failed > 0 ? "is-failed" : ""}>
      {count}
    </span>
  );
}

/** The buttons of a row: they are seen when something points at it. */
function Actions({ task, shared }: { task: ListedTask; shared: Shared }) {
  const isBusy = noticeOf(task)?.kind === "pending";
  const by = userName.value;
  const { queue } = task;
  const isOver = ["done", "failed", "cancelled", "deleted"].includes(queue);
  return (
    <span role="cell" class="cell-actions">
      {queue === "provisional" && (
        <>
          <Link class="button is-plain" to={`${taskPath(task.id)}?tab=diff`}>
            Diff
          </Link>
          <Button isBusy={isBusy} onClick={() => void accept(task)}>
            Accept
          </Button>
        </>
      )}
      {(queue === "failed" || queue === "cancelled") && (
        <Button isBusy={isBusy} onClick={() => void decide(task, "retry", { by })}>
          Retry
        </Button>
      )}
      {queue === "claimed" && (
        <Button onClick={() => shared.change("requeue", task)}>Requeue…</Button>
      )}
      {!isOver && <Button onClick={() => shared.change("cancel", task)}>Cancel…</Button>}
    </span>
  );
}
