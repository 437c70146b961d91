/** What a user fills in for a change of many tasks. */

import { PRIORITIES } from "../api/names";
import { isSend } from "../ui/form";
import { stateWords } from "../ui/words";
import type { Job } from "./job";

/** Shows the fields that the change has. */
export function Fields({ current, onSubmit }: { current: Job; onSubmit: (event: Event) => void }) {
  const { change } = current;
  const values = current.values.value;
  return (
    <>
      {change.name === "move" && (
        <label>
          To the state
          <select
            value={values.queue}
            onChange={(event) => current.set({ queue: event.currentTarget.value })}
          >
            {current.queues.map((queue) => (
              <option key={queue} value={queue}>
                {stateWords(queue)}
              </option>
            ))}
          </select>
        </label>
      )}
      {change.name === "priority" && (
        <fieldset class="choice">
          <legend>New priority</legend>
          {PRIORITIES.map((priority) => (
            <label key={priority} class="check">
              <input
                type="radio"
                name="priority"
                checked={values.priority === priority}
                onChange={() => current.set({ priority })}
              />
              {priority}
            </label>
          ))}
        </fieldset>
      )}
      {change.reason !== "none" && (
        <label>
          Reason{change.reason === "optional" && " (may be left out)"}
          <textarea
            rows={2}
            maxLength={4_096}
            required={change.reason === "required"}
            value={values.reason}
            onInput={(event) => current.set({ reason: event.currentTarget.value })}
            onKeyDown={(event) => {
              if (isSend(event)) onSubmit(event);
            }}
          />
        </label>
      )}
    </>
  );
}
