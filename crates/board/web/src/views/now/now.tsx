/** The first view: what needs a person, what runs, what waits and why, and what was done. */

import type { ListedTask, Summary } from "../../api/types";
import { useQuery } from "../../state/queries";
import { useTrail } from "../../state/trail";
import { Link } from "../../ui/basics";
import { Loaded } from "../../ui/loading";
import { useCursor, useListKeys } from "../../ui/rows";
import { useTitle } from "../../shell/title";
import { navigate } from "../../state/location";
import { actionPath, taskPath } from "../../state/paths";
import { useReviewKeys } from "../../decide/review-keys";
import { titlesOf } from "../../decide/wait-reason";
import { Healthy } from "./healthy";
import { NeedsYou } from "./needs-you";
import {
  actionsQuery,
  flaggedQuery,
  isBeingReviewed,
  restOf,
  reviewQuery,
  runningQuery,
  summaryQuery,
  unasked,
  waitingQuery,
} from "./queries";
import { Running } from "./running";
import { Today } from "./today";
import { Waits } from "./waits";

/** Shows the view. */
export function NowView() {
  const summary = useQuery(summaryQuery);
  const review = useQuery(reviewQuery);
  const flagged = useQuery(flaggedQuery);
  const actions = useQuery(actionsQuery);
  const running = useQuery(runningQuery);
  const waiting = useQuery(waitingQuery);
  const inReview = review.data.value?.tasks ?? [];
  const asked = actions.data.value?.actions ?? [];
  const toReview = inReview.filter((task) => !isBeingReviewed(task));
  const toMend = unasked(flagged.data.value?.tasks ?? [], asked);
  const more = {
    actions: restOf(actions.data.value),
    reviews: restOf(review.data.value),
    flagged: restOf(flagged.data.value),
  };
  const rest = more.actions + more.reviews + more.flagged;
  const needs = toReview.length + asked.length + toMend.length + rest;
  useTitle(needs > 0 ? `(${needs}) Now` : "Now");
  const urgent = [...asked, ...toReview, ...toMend].map((row) => row.id);
  // A flagged task that waits or runs is in two lists.
  const all = [
    ...urgent,
    ...(running.data.value?.tasks ?? []).map((task) => task.id),
    ...inReview.filter(isBeingReviewed).map((task) => task.id),
    ...(waiting.data.value?.tasks ?? []).map((task) => task.id),
  ];
  const ids = [...new Set(all)];
  const titles = titlesOf(inReview, running.data.value?.tasks, waiting.data.value?.tasks);
  const cursor = useCursor(ids, urgent);
  useTrail("Now", () => ids.slice(asked.length));
  const open = (id: string) => {
    const isAction = asked.some((action) => action.id === id);
    navigate(isAction ? actionPath(id) : taskPath(id));
  };
  useListKeys(cursor, open);
  useReviewKeys(toReview.find((task) => task.id === cursor.id.value));
  return (
    <div class="view now">
      <h1 class="unseen">Now</h1>
      <Loaded query={summary} rows={1}>
        {(data) => <Healthy summary={data} needs={needs} />}
      </Loaded>
      <Loaded query={review}>
        {() => (
          <NeedsYou
            cursor={cursor}
            actions={asked}
            reviews={toReview}
            flagged={toMend}
            more={more}
          />
        )}
      </Loaded>
      <div class="columns">
        <Loaded query={running}>
          {({ tasks }) => (
            <Running
              cursor={cursor}
              tasks={tasks}
              reviews={inReview.filter(isBeingReviewed)}
              total={runningTotal(summary.data.value, tasks)}
            />
          )}
        </Loaded>
        <Loaded query={waiting}>
          {({ tasks, total }) => (
            <Waits
              cursor={cursor}
              tasks={tasks}
              total={total ?? 0}
              titles={titles}
              summary={summary.data.value}
            />
          )}
        </Loaded>
      </div>
      <Loaded query={summary} rows={1}>
        {(data) => <Today summary={data} />}
      </Loaded>
      <p class="dim">
        <Link to="/tasks?queue=done">Done</Link> ·{" "}
        <Link to="/tasks?queue=failed">Failed</Link> ·{" "}
        <Link to="/activity">All that happened</Link>
      </p>
    </div>
  );
}

function runningTotal(summary: Summary | undefined, tasks: ListedTask[]): number {
  return summary?.queues.claimed ?? tasks.length;
}
