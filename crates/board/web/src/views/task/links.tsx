/** Dependencies both ways: what the task waits for, and what waits for it. */

import type { ListedTask, Task, TaskList, Why } from "../../api/types";
import { Link, Shape } from "../../ui/basics";
import { counted, stateKind, stateWords } from "../../ui/words";
import { restOf } from "../now/queries";
import { blockersOf } from "./queries";
import { taskPath } from "../../state/paths";

/** Shows both lists; nothing where there is no dependency. `open` are the newest open tasks. */
export function Links(props: {
  task: Task;
  why: Why | undefined;
  open: readonly ListedTask[];
  dependents: TaskList | undefined;
}) {
  const { task, why, open, dependents } = props;
  const blockers = blockersOf(task);
  const waiting = dependents?.tasks ?? [];
  const rest = restOf(dependents);
  if (blockers.length === 0 && waiting.length === 0) return null;
  return (
    <section aria-labelledby="links">
      <h2 id="links">Dependencies</h2>
      <ol class="graph">
        {blockers.map((id) => (
          <Linked
            key={id}
            id={id}
            task={open.find((other) => other.id === id)}
            says={why?.reasons.find(({ task_id }) => task_id === id)?.text}
          />
        ))}
        <li class="graph-self">
          <Shape kind={stateKind(task.queue)} /> <strong>{task.title || task.id}</strong>
        </li>
        {waiting.map((other) => (
          <Linked key={other.id} id={other.id} task={other} isAfter />
        ))}
      </ol>
      {rest > 0 && <p class="dim">and {counted(rest, "more that waits", "more that wait")} for it</p>}
    </section>
  );
}

function Linked(props: {
  id: string;
  task: ListedTask | undefined;
  says?: string | undefined;
  isAfter?: boolean;
}) {
  const { id, task, says, isAfter } = props;
  const page = taskPath(id);
  return (
    <li class={isAfter ? "graph-after" : "graph-before"}>
      {task && <Shape kind={stateKind(task.queue)} />}
      <Link to={page}>{task?.title || id}</Link>
      <span class="dim">
        {task ? stateWords(task.queue) : (says ?? "")}
        {isAfter && " · waits for this one"}
      </span>
    </li>
  );
}
