/** What runs: by which agent, where, since when, how far, and what it has used. */

import type { ListedTask } from "../../api/types";
import { latestOf } from "../../state/passing";
import { taskPath } from "../../state/paths";
import { Ago, Link, More, Shape } from "../../ui/basics";
import { Lease, Percent } from "../../ui/progress";
import { Row, type Cursor } from "../../ui/rows";
import { usageWords } from "../../ui/words";

/** Shows the list. `reviews` are held by agents that review. */
export function Running(props: {
  cursor: Cursor;
  tasks: ListedTask[];
  reviews: ListedTask[];
  total: number;
}) {
  const rest = props.total - props.tasks.length;
  return (
    <section aria-labelledby="running">
      <h2 id="running">
        Running <span class="count">{props.total + props.reviews.length}</span>
      </h2>
      {props.total + props.reviews.length === 0 && <p class="dim">Nothing runs.</p>}
      <ul class="rows">
        {props.tasks.map((task) => (
          <RunningRow key={task.id} cursor={props.cursor} task={task} />
        ))}
        {props.reviews.map((task) => (
          <RunningRow key={task.id} cursor={props.cursor} task={task} />
        ))}
      </ul>
      <More count={rest} to="/tasks?queue=claimed" />
    </section>
  );
}

function RunningRow({ cursor, task }: { cursor: Cursor; task: ListedTask }) {
  const run = task.last_run;
  const { progress, usage, leaseEnd } = latestOf(task.id, run?.run, run);
  const used = usageWords(usage);
  const isReview = task.queue === "provisional";
  return (
    <Row cursor={cursor} id={task.id}>
      <div class="line">
        <Shape kind={isReview ? "review" : "running"} />
        <Link class="title" to={taskPath(task.id)}>
          {task.title || task.id}
        </Link>
        {isReview && <span class="word">in review</span>}
      </div>
      <div class="line sub">
        <span>{task.claimed_by ?? "an agent"}</span>
        {task.orchestrator_id && <span>{task.orchestrator_id}</span>}
        {progress?.message && <span class="quote">{progress.message}</span>}
        <Percent percent={progress?.percent} label={`Progress of ${task.title ?? task.id}`} />
      </div>
      <div class="line sub dim">
        {task.claimed_at && <Ago at={task.claimed_at} suffix="" />}
        <Lease until={leaseEnd ?? task.lease_expires_at} />
        {used && <span>{used}</span>}
        {task.cancel_requested_at && <span class="is-failed">to be cancelled</span>}
      </div>
    </Row>
  );
}
