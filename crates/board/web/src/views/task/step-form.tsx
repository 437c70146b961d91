/** The form of a step that needs a confirmation: its reason, and the new state. */

import { useState } from "preact/hooks";

import type { Step } from "../../api/endpoints";
import type { Task } from "../../api/types";
import { useKeys } from "../../keys/keys";
import { decide, noticeOf } from "../../state/decisions";
import { flowsQuery } from "../../state/lists";
import { useQuery } from "../../state/queries";
import { userName } from "../../state/session";
import { useFirstFocus } from "../../ui/focus";
import { End } from "../../ui/form";
import { stateWords } from "../../ui/words";
import { queuesOf } from "./steps";

/** The text of the form, its button, and whether a reason is required. */
interface Asked {
  text: (task: Task) => string;
  button: string;
  needsReason: boolean;
}

const STILL_WAITING = "Tasks that wait for this one go on waiting.";

const ASKED: Partial<Record<Step, Asked>> = {
  cancel: {
    text: (task) =>
      task.queue === "claimed"
        ? `${task.claimed_by ?? "Its agent"} is told to stop. ${STILL_WAITING}`
        : `No agent works on it any more. ${STILL_WAITING}`,
    button: "Cancel the task",
    needsReason: true,
  },
  requeue: {
    text: (task) =>
      `It is taken from ${task.claimed_by ?? "its agent"}, whose work is lost, and waits again.`,
    button: "Requeue the task",
    needsReason: false,
  },
  retry: {
    text: () => "It waits for an agent again. Its failures and delays are forgotten.",
    button: "Retry the task",
    needsReason: false,
  },
  "force-queue": {
    text: () =>
      "The task is moved, also where its flow has no such step, and taken from its holder.",
    button: "Move the task",
    needsReason: true,
  },
};

/** Shows the form of a step, and takes the step. */
export function StepForm(props: {
  step: Step;
  task: Task;
  onClose: () => void;
  onChanged: (task: Task) => void;
}) {
  const { step, task, onClose, onChanged } = props;
  const flows = useQuery(flowsQuery).data.value?.flows ?? [];
  const queues = queuesOf(task, flows);
  const [reason, setReason] = useState("");
  const [queue, setQueue] = useState("");
  const field = useFirstFocus<HTMLInputElement>();
  const asked = ASKED[step];
  useKeys([{ keys: "Escape", label: "Close the form", run: onClose, group: "Task" }]);
  if (!asked) return null;
  const isMove = step === "force-queue";
  const isReady = (!asked.needsReason || reason.trim() !== "") && (!isMove || queue !== "");
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!isReady) return;
    const body = { by: userName.value, reason: reason.trim() || null, ...(isMove && { queue }) };
    const changed = await decide(task, step, body);
    if (changed) onChanged(changed);
  };
  return (
    <form class="form" onSubmit={submit}>
      <p>{asked.text(task)}</p>
      {isMove && (
        <label>
          New state
          <select value={queue} required onChange={(event) => setQueue(event.currentTarget.value)}>
            <option value="">choose</option>
            {queues.map((name) => (
              <option key={name} value={name}>
                {stateWords(name)}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        {asked.needsReason ? "Reason, which is kept in its history" : "Reason, if there is one"}
        <input
          ref={field}
          value={reason}
          required={asked.needsReason}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
      </label>
      <End
        kind="danger"
        submit={asked.button}
        isBusy={noticeOf(task)?.kind === "pending"}
        isReady={isReady}
        cancel="Leave it as it is"
        onCancel={onClose}
      />
    </form>
  );
}
