/** What waits, in the order in which it is handed out, each with its reason. */

import { isFinished } from "../../api/names";
import type { ListedTask, Summary } from "../../api/types";
import { WaitReason, type Titles } from "../../decide/wait-reason";
import { duration, instant, now } from "../../state/clock";
import { Link, More, Shape } from "../../ui/basics";
import { Row, type Cursor } from "../../ui/rows";
import { taskPath } from "../../state/paths";
import { counted, stateWords } from "../../ui/words";

/** Shows the list. */
export function Waits(props: {
  cursor: Cursor;
  tasks: ListedTask[];
  total: number;
  titles: Titles;
  summary: Summary | undefined;
}) {
  const rest = props.total - props.tasks.length;
  const next = props.tasks.find((task) => !task.waiting);
  return (
    <section aria-labelledby="waiting">
      <h2 id="waiting">
        Waiting <span class="count">{props.total}</span>
      </h2>
      {props.total === 0 && <p class="dim">Nothing waits.</p>}
      <ul class="rows">
        {props.tasks.map((task) => (
          <Row key={task.id} cursor={props.cursor} id={task.id}>
            <div class="line">
              <Shape kind="waiting" />
              <span class="priority">{task.priority}</span>
              <Link class="title" to={taskPath(task.id)}>
                {task.title || task.id}
              </Link>
            </div>
            <div class="line sub dim">
              <WaitReason waiting={task.waiting} isNext={task === next} titles={props.titles} />
            </div>
          </Row>
        ))}
      </ul>
      <More count={rest} to="/tasks?queue=incoming&sort=priority" />
      <Others summary={props.summary} />
    </section>
  );
}

/** The states that have a list of their own in this view. */
const LISTED = ["incoming", "claimed", "provisional"];

/** The tasks that wait in the other states of their flows, such as `approved` work to be merged. */
function Others({ summary }: { summary: Summary | undefined }) {
  if (!summary) return null;
  const others = Object.entries(summary.queues).filter(
    ([queue, count]) => count > 0 && !LISTED.includes(queue) && !isFinished(queue),
  );
  return (
    <>
      {others.map(([queue, count]) => (
        <p key={queue} class="more">
          <Link to={`/tasks?queue=${encodeURIComponent(queue)}`}>
            {counted(count, "task")} {stateWords(queue)}
          </Link>{" "}
          <Since at={summary.oldest[queue]} />
        </p>
      ))}
    </>
  );
}

function Since({ at }: { at: string | undefined }) {
  if (!at) return null;
  return <span class="dim">for up to {duration(now.value - instant(at))}</span>;
}
