/** Dependencies both ways: what the task waits for, and what waits for it. */

import type { ListedTask, Task, TaskList, Why } from "../../api/types";
import { Link, Shape } from "../../ui/basics";
import { stateKind, stateWords } from "../../ui/words";
import { blockersOf, OPEN_MAX } from "./queries";
import { taskPath } from "../../state/paths";

/** Shows both lists; nothing where there is no dependency. `open` are the newest open tasks. */
export function Links(props: { task: Task; why: Why | undefined; open: TaskList | undefined }) {
  const { task, why, open } = props;
  const blockers = blockersOf(task);
  const tasks = open?.tasks ?? [];
  const waiting = tasks.filter((other) => blockersOf(other).includes(task.id));
  const isPart = open !== undefined && (open.total ?? 0) > OPEN_MAX;
  if (blockers.length === 0 && waiting.length === 0) return null;
  return (
    <section aria-labelledby="links">
      <h2 id="links">Dependencies</h2>
      <ol class="graph">
        {blockers.map((id) => (
          <Linked
            key={id}
            id={id}
            task={tasks.find((other) => other.id === id)}
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
      {isPart && (
        <p class="dim">
          Of those that wait for it, the ones among the newest {OPEN_MAX} open tasks.
        </p>
      )}
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
