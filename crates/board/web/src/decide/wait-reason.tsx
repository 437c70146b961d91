/** Why a task waits, in one line. */

import type { ListedTask, Task, Waiting } from "../api/types";
import { Link, Until } from "../ui/basics";
import { Said } from "../ui/said";
import { stateWords } from "../ui/words";
import { taskPath } from "../state/paths";

/** What is known of other tasks, to name them by their titles. */
export type Titles = ReadonlyMap<string, Pick<Task, "title" | "queue">>;

/** The titles of tasks in lists. */
export function titlesOf(...lists: (readonly ListedTask[] | undefined)[]): Titles {
  return new Map(lists.flatMap((tasks) => tasks ?? []).map((task) => [task.id, task]));
}

/** Shows the first reason why a task waits. `isNext` if nothing is handed out before it. */
export function WaitReason(props: {
  waiting: Waiting | null | undefined;
  isNext?: boolean;
  titles?: Titles;
}) {
  const { waiting, titles } = props;
  if (!waiting) return <span>{props.isNext ? "next in line" : "waits for a free slot"}</span>;
  if (waiting.code === "awaiting_input") {
    return (
      <span>
        waits for an answer: <Link to="/inbox">Inbox</Link>
      </span>
    );
  }
  const blocker = waiting.task_id ? titles?.get(waiting.task_id) : undefined;
  if (waiting.task_id) {
    const page = taskPath(waiting.task_id);
    return blocker ? (
      <span>
        waits for <Link to={page}>{blocker.title || waiting.task_id}</Link> (
        {stateWords(blocker.queue)})
      </span>
    ) : (
      <span>
        <Said text={waiting.text} /> · <Link to={page}>show that task</Link>
      </span>
    );
  }
  return (
    <span>
      <Said text={waiting.text} />
      {waiting.until && (
        <>
          {" "}
          (<Until at={waiting.until} />)
        </>
      )}
    </span>
  );
}
