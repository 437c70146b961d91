/** A row about a task that a person decides. */

import type { ComponentChildren } from "preact";

import type { ListedTask } from "../api/types";
import { taskPath } from "../state/paths";
import { Link, Shape } from "../ui/basics";
import { Row, type Cursor } from "../ui/rows";

/** Shows the row. `children` follow the title in its line, and `more` is below the line. */
export function DecisionRow(props: {
  cursor: Cursor;
  task: ListedTask;
  /** Why the task is listed, such as `review`. */
  word: string;
  /** Whether the row is about to leave the list. */
  isGone: boolean;
  children: ComponentChildren;
  more: ComponentChildren;
}) {
  const { task } = props;
  return (
    <Row cursor={props.cursor} id={task.id} class={props.isGone ? "is-gone" : ""}>
      <div class="line">
        <Shape kind="needs-you" />
        <span class="word">{props.word}</span>
        <Link class="title" to={taskPath(task.id)}>
          {task.title || task.id}
        </Link>
        {props.children}
      </div>
      {props.more}
    </Row>
  );
}
