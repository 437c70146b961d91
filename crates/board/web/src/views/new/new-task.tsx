/** The form of a new task. */

import { useState } from "preact/hooks";

import { UP_FLOW } from "../../api/names";
import { flowsQuery } from "../../state/lists";
import { navigate } from "../../state/location";
import { useQuery } from "../../state/queries";
import { draftPath, taskPath } from "../../state/paths";
import { useAttempt } from "../../ui/attempt";
import { Button, Link } from "../../ui/basics";
import { isSend } from "../../ui/form";
import { Panel } from "../../ui/panel";
import { Problem } from "../../ui/problem";
import { After } from "./after";
import { Choices, More } from "./choices";
import {
  create,
  forgetFields,
  keepFields,
  keptFields,
  NOTHING,
  nextFields,
  saveDraft,
  type Fields,
} from "./fields";
import "./new.css";

/** What was done last. */
interface Done {
  text: string;
  /** Where it is shown. */
  to: string;
}

/** Shows the form. */
export function NewTask({ onClose }: { onClose: () => void }) {
  const form = useForm(onClose);
  const { fields, set, isBusy } = form;
  const isBlank = fields.title.trim() === "";
  const onSubmit = (event: Event) => {
    event.preventDefault();
    void form.submit("open");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (isSend(event)) onSubmit(event);
  };
  return (
    <Panel title="New task" onClose={onClose}>
      <form class="form new-task" onSubmit={onSubmit} onKeyDown={onKeyDown}>
        <Texts fields={fields} set={set} titleField={form.titleField} />
        <Choices fields={fields} set={set} />
        <After chosen={fields.after} onChange={(after) => set({ after })} />
        <More fields={fields} set={set} usualFlow={form.usualFlow} />
        <div class="buttons">
          <Button
            kind="primary"
            type="submit"
            title="Ctrl-Enter"
            isBusy={isBusy}
            disabled={isBlank}
          >
            Create
          </Button>
          <Button isBusy={isBusy} disabled={isBlank} onClick={() => void form.submit("another")}>
            Create, and another
          </Button>
          <Button isBusy={isBusy} disabled={isBlank} onClick={() => void form.draft()}>
            Save as draft
          </Button>
        </div>
        <Outcome problem={form.problem} done={form.done} />
      </form>
    </Panel>
  );
}

/** The state of the form, and what its buttons do. */
function useForm(onClose: () => void) {
  const [fields, setFields] = useState(keptFields);
  const { isBusy, problem, run } = useAttempt();
  const [done, setDone] = useState<Done | undefined>(undefined);
  const [titleField] = useState<{ current: HTMLInputElement | null }>({ current: null });
  const flows = useQuery(flowsQuery).data.value?.flows ?? [];
  const usualFlow = flows.some(({ name }) => name === UP_FLOW) ? UP_FLOW : undefined;
  const put = (changed: Fields) => {
    setFields(changed);
    keepFields(changed);
  };
  const set = (change: Partial<Fields>) => put({ ...fields, ...change });
  const attempt = (send: () => Promise<void>) => {
    setDone(undefined);
    return run(send);
  };
  const submit = (then: "open" | "another") =>
    attempt(async () => {
      const task = await create(fields, usualFlow);
      const page = taskPath(task.id);
      if (then === "open") {
        forgetFields();
        onClose();
        navigate(page);
        return;
      }
      put(nextFields(fields));
      setDone({ text: `Created: ${task.title ?? task.id}`, to: page });
      titleField.current?.focus();
    });
  const draft = () =>
    attempt(async () => {
      const saved = await saveDraft(fields);
      // A draft has a title only, so the text stays in the form.
      const hasText = fields.content.trim() !== "";
      put(hasText ? { ...fields, title: "" } : NOTHING);
      const rest = hasText ? ". A draft has a title only: the text stays here" : "";
      setDone({ text: `Saved as draft: ${saved.title}${rest}`, to: draftPath(String(saved.id)) });
    });
  return { fields, set, usualFlow, isBusy, problem, done, titleField, submit, draft };
}

function Texts(props: {
  fields: Fields;
  set: (change: Partial<Fields>) => void;
  titleField: { current: HTMLInputElement | null };
}) {
  const { fields, set } = props;
  return (
    <>
      <label>
        Title
        <input
          ref={props.titleField}
          value={fields.title}
          maxLength={1_000}
          required
          placeholder="What is to be done, in a few words"
          onInput={(event) => set({ title: event.currentTarget.value })}
        />
      </label>
      <label>
        Text, which the agent reads
        <textarea
          rows={8}
          value={fields.content}
          placeholder="What is wanted and why, how to see that it is done, what to leave alone"
          onInput={(event) => set({ content: event.currentTarget.value })}
        />
      </label>
    </>
  );
}

function Outcome({ problem, done }: { problem: string | undefined; done: Done | undefined }) {
  if (problem) return <Problem text={problem} />;
  return (
    <p role="status" class="is-done">
      {done && (
        <>
          {done.text} · <Link to={done.to}>show it</Link>
        </>
      )}
    </p>
  );
}
