/** The status of a project or a draft: shape and word. */

import { Shape } from "../../ui/basics";
import type { StateKind } from "../../ui/words";

const KINDS: Record<string, StateKind> = {
  active: "running",
  review: "review",
  approved: "done",
  implemented: "done",
  completed: "done",
  rejected: "failed",
};

/** Shows the status. */
export function Status({ status }: { status: string }) {
  const kind = KINDS[status] ?? "waiting";
  return (
    <span class={`state status is-${kind}`}>
      <Shape kind={kind} /> {status}
    </span>
  );
}
