/** What waits, in the order in which it is handed out, each with its reason. */

import type { ListedTask } from "../../api/types";
import { WaitReason, type Titles } from "../../decide/wait-reason";
import { Link, Shape } from "../../ui/basics";
import { Row, type Cursor } from "../../ui/rows";
import { taskPath } from "../../state/paths";

/** Shows the list. */
export function Waits(props: {
  cursor: Cursor;
  tasks: ListedTask[];
  total: number;
  titles: Titles;
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
      {rest > 0 && <Link to="/tasks?queue=incoming">and {rest} more</Link>}
    </section>
  );
}
