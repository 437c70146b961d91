/** What needs a person: questions, work to review, and tasks that are flagged. */

import type { Action, ListedTask } from "../../api/types";
import { ActionRow } from "../../decide/action-row";
import { FlaggedRow } from "../../decide/flagged-row";
import { ReviewRow } from "../../decide/review-row";
import { More } from "../../ui/basics";
import type { Cursor } from "../../ui/rows";
import { counted } from "../../ui/words";

/** Shows the list. `more` is how many of each kind are not on its first page. */
export function NeedsYou(props: {
  cursor: Cursor;
  actions: Action[];
  reviews: ListedTask[];
  flagged: ListedTask[];
  more: { actions: number; reviews: number; flagged: number };
}) {
  const { more } = props;
  const shown = props.actions.length + props.reviews.length + props.flagged.length;
  const count = shown + more.actions + more.reviews + more.flagged;
  return (
    <section aria-labelledby="needs-you">
      <h2 id="needs-you" class={count > 0 ? "is-needs-you" : ""}>
        Needs you <span class="count">{count}</span>
      </h2>
      {count === 0 && <p class="dim">Nothing needs you.</p>}
      <ul class="rows" aria-label={counted(shown, "thing that needs you", "things that need you")}>
        {props.actions.map((action) => (
          <ActionRow key={action.id} cursor={props.cursor} action={action} />
        ))}
        {props.reviews.map((task) => (
          <ReviewRow key={task.id} cursor={props.cursor} task={task} />
        ))}
        {props.flagged.map((task) => (
          <FlaggedRow key={task.id} cursor={props.cursor} task={task} />
        ))}
      </ul>
      <More count={more.actions} what="questions and proposals" to="/inbox" />
      <More count={more.reviews} what="to review" to="/tasks?queue=provisional&sort=priority" />
      <More count={more.flagged} what="flagged" to="/tasks?needs_intervention=true" />
    </section>
  );
}
