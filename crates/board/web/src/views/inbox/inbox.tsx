/** The view Inbox: open questions, proposals and reviews, and the answers of the last day. */

import type { Action, ListedTask } from "../../api/types";
import { ActionRow } from "../../decide/action-row";
import { isQuestion, useAnswerKeys } from "../../decide/answers";
import { FlaggedRow } from "../../decide/flagged-row";
import { useReviewKeys } from "../../decide/review-keys";
import { ReviewRow } from "../../decide/review-row";
import { now } from "../../state/clock";
import { navigate } from "../../state/location";
import { useQuery } from "../../state/queries";
import { taskPath } from "../../state/paths";
import { Link } from "../../ui/basics";
import { Loaded } from "../../ui/loading";
import { useCursor, useListKeys, useNamedRow, type Cursor } from "../../ui/rows";
import { counted } from "../../ui/words";
import { useTitle } from "../../shell/title";
import {
  actionsQuery,
  flaggedQuery,
  isBeingReviewed,
  restOf,
  reviewQuery,
  unasked,
} from "../now/queries";
import { Ended } from "./ended";
import { Group } from "./group";
import "./inbox.css";
import { endedQuery, endedSince } from "./queries";

const MORE = "more questions and proposals";

/** Shows the view. `id` is the action or the task that the address names. */
export function InboxView({ id }: { id?: string }) {
  const asked = useQuery(actionsQuery);
  const review = useQuery(reviewQuery);
  const flagged = useQuery(flaggedQuery);
  const ended = useQuery(endedQuery);
  const actions = asked.data.value?.actions ?? [];
  const reviews = (review.data.value?.tasks ?? []).filter((task) => !isBeingReviewed(task));
  const toMend = unasked(flagged.data.value?.tasks ?? [], actions);
  const ids = [...actions, ...reviews, ...toMend].map((row) => row.id);
  useTitle(ids.length > 0 ? `(${ids.length}) Inbox` : "Inbox");
  const cursor = useCursor(ids);
  useNamedRow(cursor, id);
  useInboxKeys(cursor, actions, reviews);
  const isRead = [asked, review, flagged].every((query) => query.data.value !== undefined);
  const answered = endedSince(ended.data.value?.actions ?? [], now.peek());
  return (
    <div class="view inbox">
      <h1>Inbox</h1>
      {id !== undefined && isRead && !ids.includes(id) && <Gone id={id} answered={answered} />}
      <Loaded query={asked}>
        {() => (
          <>
            <Questions cursor={cursor} actions={actions} />
            <Proposals cursor={cursor} actions={actions} />
            {restOf(asked.data.value) > 0 && (
              <p class="dim">
                {counted(restOf(asked.data.value), "more question or proposal", MORE)} when these are
                decided.
              </p>
            )}
          </>
        )}
      </Loaded>
      <Loaded query={review}>
        {() => (
          <Group
            name="Work to review"
            count={reviews.length}
            rest={restOf(review.data.value)}
            to="/tasks?queue=provisional&sort=priority"
          >
            {reviews.map((task) => (
              <ReviewRow key={task.id} cursor={cursor} task={task} />
            ))}
          </Group>
        )}
      </Loaded>
      <Loaded query={flagged} rows={1}>
        {() => (
          <Group
            name="Flagged"
            count={toMend.length}
            rest={restOf(flagged.data.value)}
            to="/tasks?needs_intervention=true"
          >
            {toMend.map((task) => (
              <FlaggedRow key={task.id} cursor={cursor} task={task} />
            ))}
          </Group>
        )}
      </Loaded>
      {isRead && ids.length === 0 && <Nothing />}
      <Ended actions={answered} openId={id} />
    </div>
  );
}

function Questions(props: { cursor: Cursor; actions: Action[] }) {
  const questions = props.actions.filter(isQuestion);
  return (
    <Group name="Questions" count={questions.length}>
      {questions.map((action) => (
        <ActionRow key={action.id} cursor={props.cursor} action={action} />
      ))}
    </Group>
  );
}

function Proposals(props: { cursor: Cursor; actions: Action[] }) {
  const proposals = props.actions.filter((action) => !isQuestion(action));
  return (
    <Group name="Proposals" count={proposals.length}>
      {proposals.map((action) => (
        <ActionRow key={action.id} cursor={props.cursor} action={action} />
      ))}
    </Group>
  );
}

function useInboxKeys(cursor: Cursor, actions: Action[], reviews: ListedTask[]): void {
  const at = cursor.id.value;
  const action = actions.find((known) => known.id === at);
  useListKeys(cursor, (id) => {
    const task = action?.entity_type === "task" ? action.entity_id : action ? undefined : id;
    if (task !== undefined) navigate(taskPath(task));
  });
  useReviewKeys(reviews.find((task) => task.id === at));
  useAnswerKeys(action);
}

function Gone({ id, answered }: { id: string; answered: readonly Action[] }) {
  if (answered.some((action) => action.id === id)) {
    return <p class="dim">This was answered. It is below, among what was answered lately.</p>;
  }
  return (
    <p class="dim">
      {id} no longer needs you. <Link to="/activity?kinds=action">What was answered before</Link>
    </p>
  );
}

function Nothing() {
  return (
    <div class="empty">
      <p class="healthy">✓ Nothing needs you.</p>
      <p class="dim">
        Questions of agents, proposals, work to review and flagged tasks appear here by themselves.
        An agent asks by failing with the reason <code>needs_input</code>; its task waits for the
        answer.
      </p>
    </div>
  );
}
