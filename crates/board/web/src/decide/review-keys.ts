/** The keys of a review: `a` accepts, `r` rejects. */

import { signal } from "@preact/signals";

import { useKeys, type Binding } from "../keys/keys";
import { accept, type Decided } from "../state/decisions";
import { canDecide } from "../state/session";

/** The task whose rejection is being written. */
export const rejecting = signal<string | undefined>(undefined);

/** Makes the keys hold for a task. */
export function useReviewKeys(task: Decided | undefined): void {
  const isOpen = canDecide.value && task?.queue === "provisional";
  const keys: Binding[] = !isOpen || !task
    ? []
    : [
        { keys: "a", label: "Accept the work", run: () => void accept(task), group: "Review" },
        {
          keys: "r",
          label: "Reject the work, with a reason",
          run: () => (rejecting.value = task.id),
          group: "Review",
        },
      ];
  useKeys(keys);
}
