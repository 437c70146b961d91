/** The tasks of a project, and how many are in each state. */

import type { ListedTask } from "../../api/types";
import { titlesOf, WaitReason } from "../../decide/wait-reason";
import { navigate } from "../../state/location";
import { taskPath } from "../../state/paths";
import { Ago, Empty, Link, State } from "../../ui/basics";
import { Row, useCursor, useListKeys } from "../../ui/rows";
import { stateKind, stateWords, type StateKind } from "../../ui/words";

/** The order in which the states are shown: open tasks first, finished ones last. */
const ORDER: readonly StateKind[] = ["needs-you", "review", "running", "waiting", "failed", "done"];

/** Shows the tasks. `total` counts also those that are not listed. */
export function ProjectTasks(props: { id: string; tasks: readonly ListedTask[]; total: number }) {
  const { id, total } = props;
  const tasks = [...props.tasks].sort((a, b) => rank(a) - rank(b));
  const cursor = useCursor(tasks.map((task) => task.id));
  useListKeys(cursor, (task) => navigate(taskPath(task)));
  const titles = titlesOf(tasks);
  const all = `/tasks?project_id=${encodeURIComponent(id)}`;
  if (tasks.length === 0) return <NoTask id={id} />;
  return (
    <section aria-labelledby="project-tasks">
      <h2 id="project-tasks">
        Tasks <span class="count">{total}</span>
      </h2>
      <Share tasks={tasks} isPart={total > tasks.length} />
      <ul class="rows">
        {tasks.map((task) => (
          <Row key={task.id} cursor={cursor} id={task.id}>
            <div class="line">
              <State queue={task.queue} />
              <span class="priority">{task.priority}</span>
              <Link class="title" to={taskPath(task.id)}>
                {task.title || task.id}
              </Link>
              <span class="dim">
                {task.claimed_by && `${task.claimed_by} · `}
                {stateKind(task.queue) === "waiting" ? (
                  <WaitReason waiting={task.waiting} titles={titles} />
                ) : (
                  <Ago at={task.claimed_at ?? task.updated_at} />
                )}
              </span>
            </div>
          </Row>
        ))}
      </ul>
      <Link to={all}>{total > tasks.length ? `All ${total} tasks` : "The same in the table"}</Link>
    </section>
  );
}

function rank(task: ListedTask): number {
  return ORDER.indexOf(stateKind(task.queue));
}

/** A bar with the share of each state, and the counts in words. `isPart`: there are more tasks. */
function Share({ tasks, isPart }: { tasks: readonly ListedTask[]; isPart: boolean }) {
  const counts = new Map<string, number>();
  for (const task of tasks) counts.set(task.queue, (counts.get(task.queue) ?? 0) + 1);
  return (
    <div class="share">
      <div class="share-bar" aria-hidden="true">
        {[...counts].map(([queue, count]) => (
          <span key={queue} class={`is-${stateKind(queue)}`} style={{ flexGrow: count }} />
        ))}
      </div>
      <p class="dim">
        {isPart && `Of the newest ${tasks.length}: `}
        {[...counts].map(([queue, count]) => `${count} ${stateWords(queue)}`).join(" · ")}
      </p>
    </div>
  );
}

function NoTask({ id }: { id: string }) {
  return (
    <Empty>
      <p>This project has no task yet.</p>
      <p class="dim">
        “New task” has a choice of the project. On a command line, add{" "}
        <code>--project {id}</code> to <code>octopoid add</code>.
      </p>
    </Empty>
  );
}
