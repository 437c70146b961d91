/** The notice of a decision, beside its task. */

import { dismissNotice, noticeOf, type Notice } from "../state/decisions";
import { Button } from "../ui/basics";

/** Shows a notice. One that is refused stays until it is dismissed. */
export function NoticeLine({ id, notice }: { id: string; notice: Notice | undefined }) {
  if (!notice) return null;
  const isRefused = notice.kind === "refused";
  return (
    <p class={`notice is-${notice.kind}`} role={isRefused ? "alert" : "status"}>
      {notice.text}{" "}
      {isRefused && (
        <Button kind="quiet" onClick={() => dismissNotice(id)}>
          Dismiss
        </Button>
      )}
    </p>
  );
}

/** The notice of a task, and whether its row is about to leave: it was decided, or is just now. */
export function decisionOn(task: { id: string; version: number }) {
  const notice = noticeOf(task);
  return { notice, isGone: notice?.kind === "pending" || notice?.kind === "done" };
}
