/** The form of a draft: its text and what it is about. */

import { useState } from "preact/hooks";

import { useAttempt } from "../../ui/attempt";
import { Choice, plainly } from "../../ui/fields";
import { End, isSend } from "../../ui/form";
import { STATUSES, textProblem, type DraftFields } from "./fields";

/** Shows the form. It closes once what it contains was saved. */
export function DraftForm(props: {
  start: DraftFields;
  /** What the button says that saves it. */
  submit: string;
  onSubmit: (fields: DraftFields) => Promise<unknown>;
  onClose: () => void;
}) {
  const attempt = useAttempt();
  const [fields, setFields] = useState(props.start);
  const set = (more: Partial<DraftFields>) => setFields({ ...fields, ...more });
  const problem = textProblem(fields.text);
  const isReady = fields.text.trim() !== "" && problem === undefined;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!isReady || attempt.isBusy) return;
    if (await attempt.run(() => props.onSubmit(fields))) props.onClose();
  };
  return (
    <form class="form" onSubmit={submit}>
      <label>
        Text. The first line is the title.
        <textarea
          autofocus
          required
          rows={6}
          value={fields.text}
          onInput={(event) => set({ text: event.currentTarget.value })}
          onKeyDown={(event) => {
            if (isSend(event)) void submit(event);
            if (event.key === "Escape") props.onClose();
          }}
        />
      </label>
      <About fields={fields} set={set} />
      <End
        submit={props.submit}
        isBusy={attempt.isBusy}
        isReady={isReady}
        problem={problem ?? attempt.problem}
        onCancel={props.onClose}
      />
    </form>
  );
}

/** What the draft is about. */
function About(props: { fields: DraftFields; set: (more: Partial<DraftFields>) => void }) {
  const { fields, set } = props;
  return (
    <div class="beside">
      <Choice
        label="Status"
        value={fields.status}
        options={plainly(STATUSES)}
        onValue={(status) => set({ status })}
      />
      <label>
        Domain
        <input
          maxLength={500}
          value={fields.domain}
          onInput={(event) => set({ domain: event.currentTarget.value })}
        />
      </label>
      <label>
        Tags, separated by commas
        <input
          maxLength={2_000}
          value={fields.tags}
          onInput={(event) => set({ tags: event.currentTarget.value })}
        />
      </label>
    </div>
  );
}
