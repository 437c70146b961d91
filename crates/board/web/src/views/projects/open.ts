/** How many tasks of a project are open, in words. */

import { isFinished } from "../../api/names";
import type { TaskList } from "../../api/types";
import { counted } from "../../ui/words";

/**
 * A sentence about the open tasks in the first page of a project's tasks, or an empty text. If
 * there are more pages, the number is a minimum.
 */
export function openWords(list: TaskList | undefined): string {
  if (!list) return "";
  const count = list.tasks.filter((task) => !isFinished(task.queue)).length;
  const isPart = Boolean(list.next_cursor);
  if (count === 0) {
    if (!isPart) return "";
    return `More than ${counted(list.tasks.length, "task")} belong to it; some may be open.`;
  }
  const number = `${isPart ? "At least " : ""}${counted(count, "task")}`;
  return `${number} of it ${count === 1 ? "is" : "are"} open.`;
}
