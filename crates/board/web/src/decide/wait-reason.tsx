/** Why a task waits, in one line. */

import type { ListedTask, Task, Waiting } from "../api/types";
import { Link, Until } from "../ui/basics";
import { Said } from "../ui/said";
import { Blocker } from "./blocker";

/** The titles and queues of other tasks that are known. */
export type Titles = ReadonlyMap<string, Pick<Task, "title" | "queue">>;

/** The titles of tasks in lists. */
export function titlesOf(...lists: (readonly ListedTask[] | undefined)[]): Titles {
  return new Map(lists.flatMap((tasks) => tasks ?? []).map((task) => [task.id, task]));
}

/** Shows the first reason why a task waits. `isNext`: no task is handed out before it. */
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
  if (waiting.task_id) {
    return (
      <span>
        <Blocker id={waiting.task_id} words="waits for" text={waiting.text} titles={titles} />
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
