/** The keys of a review: `a` accepts, `r` rejects. */

import { signal } from "@preact/signals";

import type { Task } from "../api/types";
import { useKeys, type Binding } from "../keys/keys";
import { accept, type Decided } from "../state/decisions";
import { canDecide } from "../state/session";

/** The task whose rejection is being written. */
export const rejecting = signal<string | undefined>(undefined);

/** Makes the keys hold for a task. `onChanged` is called with the accepted task. */
export function useReviewKeys(
  task: Decided | undefined,
  onChanged?: (task: Task) => void,
): void {
  const isOpen = canDecide.value && task?.queue === "provisional";
  const acceptIt = async (decided: Decided) => {
    const changed = await accept(decided);
    if (changed) onChanged?.(changed);
  };
  const keys: Binding[] = !isOpen || !task
    ? []
    : [
        { keys: "a", label: "Accept the work", run: () => void acceptIt(task), group: "Review" },
        {
          keys: "r",
          label: "Reject the work, with a reason",
          run: () => (rejecting.value = task.id),
          group: "Review",
        },
      ];
  useKeys(keys);
}
