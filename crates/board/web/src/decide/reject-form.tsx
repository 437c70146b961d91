/** The reason of a rejection, which the next attempt is given. */

import { useState } from "preact/hooks";

import { useKeys } from "../keys/keys";
import { reject, type Decided } from "../state/decisions";
import { Button } from "../ui/basics";
import { keepReason, lastReasons } from "./reasons";
import { rejecting } from "./review-keys";

/** Asks for the reason. `start` is what it starts with, such as comments on lines. */
export function RejectForm({ task, start = "" }: { task: Decided; start?: string }) {
  const [reason, setReason] = useState(start);
  const [isBusy, setBusy] = useState(false);
  const close = () => (rejecting.value = undefined);
  useKeys([{ keys: "Escape", label: "Reject no more", run: close, group: "Review" }]);
  const submit = async (event?: Event) => {
    event?.preventDefault();
    if (!reason.trim() || isBusy) return;
    setBusy(true);
    const changed = await reject(task, reason.trim());
    setBusy(false);
    if (changed) keepReason(reason.trim());
    close();
  };
  return (
    <form class="form reject" onSubmit={submit}>
      <label>
        Why is the work rejected? The next attempt reads this.
        <textarea
          autofocus
          ref={(field) => field?.focus()}
          rows={4}
          maxLength={65_536}
          value={reason}
          required
          onInput={(event) => setReason(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void submit(event);
          }}
        />
      </label>
      <div class="chips">
        {lastReasons().map((last) => (
          <Button key={last} kind="quiet" onClick={() => setReason(last)}>
            {last}
          </Button>
        ))}
      </div>
      <div class="buttons">
        <Button kind="danger" type="submit" isBusy={isBusy} disabled={!reason.trim()}>
          Reject
        </Button>
        <Button onClick={close}>Keep</Button>
      </div>
    </form>
  );
}
