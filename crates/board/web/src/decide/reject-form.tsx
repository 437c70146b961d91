/** The reason of a rejection, which the next attempt is given. */

import { useRef, useState } from "preact/hooks";

import type { Task } from "../api/types";
import { useKeys } from "../keys/keys";
import { reject, type Decided } from "../state/decisions";
import { Button } from "../ui/basics";
import { useFirstFocus } from "../ui/focus";
import { End, isSend } from "../ui/form";
import { keepReason, lastReasons } from "./reasons";
import { rejecting } from "./review-keys";

/** The longest reason that the server keeps, in characters. */
const REASON_MAX = 65_536;

/**
 * Asks for the reason. `notes` were written on lines of the diff. They are sent before the reason,
 * or alone. `onChanged` is called with the rejected task.
 */
export function RejectForm(props: {
  task: Decided;
  notes?: string;
  onChanged?: (task: Task) => void;
}) {
  const { task, notes = "", onChanged } = props;
  const [own, setOwn] = useState("");
  const field = useFirstFocus<HTMLTextAreaElement>();
  const [isBusy, setBusy] = useState(false);
  // The version that the person saw: a later change is shown before anything is decided.
  const seen = useRef(task);
  const latest = useRef(task);
  latest.current = task;
  const reason = [notes, own.trim()].filter(Boolean).join("\n\n").slice(0, REASON_MAX);
  const close = () => (rejecting.value = undefined);
  useKeys([{ keys: "Escape", label: "Close the form", run: close, group: "Review" }]);
  const submit = async (event?: Event) => {
    event?.preventDefault();
    if (!reason || isBusy) return;
    setBusy(true);
    const changed = await reject(seen.current, reason);
    seen.current = latest.current;
    setBusy(false);
    // The form keeps the text, so that it can be sent again.
    if (!changed) return;
    if (own.trim()) keepReason(own.trim());
    close();
    onChanged?.(changed);
  };
  return (
    <form class="form reject" onSubmit={submit}>
      <label>
        {notes
          ? "What else is to be said? The next attempt reads it below the notes."
          : "Why is the work rejected? The next attempt reads this."}
        <textarea
          ref={field}
          rows={4}
          maxLength={REASON_MAX}
          value={own}
          required={!notes}
          onInput={(event) => setOwn(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (isSend(event)) void submit(event);
          }}
        />
      </label>
      <div class="chips">
        {lastReasons().map((last) => (
          <Button key={last} kind="quiet" onClick={() => setOwn(last)}>
            {last}
          </Button>
        ))}
      </div>
      <End
        kind="danger"
        submit="Reject"
        isBusy={isBusy}
        isReady={reason !== ""}
        cancel="Keep"
        onCancel={close}
      />
    </form>
  );
}
