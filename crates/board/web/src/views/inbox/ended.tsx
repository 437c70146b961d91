/** The questions and proposals of the last day that were answered, folded. */

import type { Action } from "../../api/types";
import { Ago, Link } from "../../ui/basics";
import { endWords, resultText } from "./queries";
import { taskPath } from "../../state/paths";

/** Shows the list. It is unfolded if the address names something in it. */
export function Ended(props: { actions: readonly Action[]; openId: string | undefined }) {
  if (props.actions.length === 0) return null;
  const isOpen = props.actions.some((action) => action.id === props.openId);
  return (
    <details class="ended" open={isOpen}>
      <summary>
        Asked in the last 24 hours, and answered <span class="count">{props.actions.length}</span>
      </summary>
      <ul class="rows">
        {props.actions.map((action) => (
          <EndedRow key={action.id} action={action} isNamed={action.id === props.openId} />
        ))}
      </ul>
    </details>
  );
}

function EndedRow({ action, isNamed }: { action: Action; isNamed: boolean }) {
  const isBad = ["failed", "expired"].includes(action.status);
  const text = resultText(action);
  return (
    <li class={isNamed ? "row is-at" : "row"}>
      <div class="line">
        <span class={`shape ${isBad ? "is-failed" : "is-done"}`} aria-hidden="true">
          {isBad ? "✕" : "✓"}
        </span>
        <span class="how">{endWords(action)}</span>
        <span class="title">{action.label}</span>
        <span class="dim">
          {action.proposed_by} · asked <Ago at={action.proposed_at} />
        </span>
        {action.entity_type === "task" && (
          <Link to={taskPath(action.entity_id)}>show the task</Link>
        )}
      </div>
      {text && text !== endWords(action) && <p class="prose sub quote">{text}</p>}
    </li>
  );
}
