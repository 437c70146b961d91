/** The form that changes the title, the text and the priority of a task. */

import { useState } from "preact/hooks";

import { PRIORITIES } from "../../api/names";
import type { Task } from "../../api/types";
import { useKeys } from "../../keys/keys";
import { dismissNotice, editTask, noticeOf, notices } from "../../state/decisions";
import { queryNamed } from "../../state/queries";
import { Choice, plainly } from "../../ui/fields";
import { useFirstFocus } from "../../ui/focus";
import { End } from "../../ui/form";
import { Problem } from "../../ui/problem";
import { invalidateTask, taskQuery } from "./queries";

/** The fields, as text. */
interface Fields {
  title: string;
  content: string;
  priority: string;
}

const fieldsOf = (task: Task): Fields => ({
  title: task.title ?? "",
  content: task.content ?? "",
  priority: task.priority ?? "",
});

/**
 * Shows the form. It is sent with the version that it began with. If another client has changed the
 * task meanwhile, the form takes what that client wrote, except where this person has written too:
 * there it says what the server has. Then it can be sent again.
 */
export function EditForm({ task, onClose }: { task: Task; onClose: () => void }) {
  const [base, setBase] = useState(task);
  const [fields, setFields] = useState(() => fieldsOf(task));
  const field = useFirstFocus<HTMLInputElement>();
  const [refusal, setRefusal] = useState<string | undefined>(undefined);
  const isBusy = noticeOf(task)?.kind === "pending";
  const change = (part: Partial<Fields>) => setFields((before) => ({ ...before, ...part }));
  useKeys([{ keys: "Escape", label: "Leave the form", run: onClose, group: "Task" }]);
  const submit = async (event: Event) => {
    event.preventDefault();
    const changes = changesOf(base, fields);
    if (Object.keys(changes).length === 0) return onClose();
    const changed = await editTask(base, changes);
    const query = queryNamed(taskQuery(task.id));
    if (changed) {
      query.patch(() => changed);
      invalidateTask(task.id);
      return onClose();
    }
    setRefusal(notices.value.get(task.id)?.text);
    dismissNotice(task.id);
    await query.read();
    const now = query.data.value ?? task;
    // What was typed while this was read is kept.
    setFields((mine) => merged(mine, base, now));
    setBase(now);
  };
  const theirs = refusal === undefined ? undefined : fieldsOf(base);
  return (
    <form class="form edit" onSubmit={submit}>
      <Problem text={refusal}>
        . Your changes are not saved yet: look at them, and save again.
      </Problem>
      <label>
        Title
        <input
          value={fields.title}
          required
          ref={field}
          onInput={(event) => change({ title: event.currentTarget.value })}
        />
        <Theirs mine={fields.title} theirs={theirs?.title} />
      </label>
      <label>
        Text, which the agent is given
        <textarea
          rows={10}
          value={fields.content}
          onInput={(event) => change({ content: event.currentTarget.value })}
        />
        <Theirs mine={fields.content} theirs={theirs?.content} />
      </label>
      <div class="short">
        <Choice
          label="Priority"
          value={fields.priority}
          options={[["", "none"], ...plainly(PRIORITIES)]}
          onValue={(priority) => change({ priority })}
        />
        <Theirs mine={fields.priority} theirs={theirs?.priority} />
      </div>
      <End
        submit="Save"
        isBusy={isBusy}
        isReady={fields.title.trim() !== ""}
        cancel="Leave it as it is"
        onCancel={onClose}
      />
    </form>
  );
}

/** What the server has, where this person has written something else. */
function Theirs({ mine, theirs }: { mine: string; theirs: string | undefined }) {
  if (theirs === undefined || theirs === mine) return null;
  return <span class="theirs">The server has: {theirs || "nothing"}</span>;
}

const NAMES = ["title", "content", "priority"] as const;

/** The fields that differ from the task that the form began with. */
export function changesOf(
  base: Task,
  fields: Fields,
): Partial<Record<keyof Fields, string | null>> {
  const before = fieldsOf(base);
  const changed = NAMES.filter((name) => fields[name] !== before[name]);
  return Object.fromEntries(changed.map((name) => [name, fields[name] || null]));
}

/** The fields that this person has changed, and the server's values of the others. */
export function merged(fields: Fields, base: Task, now: Task): Fields {
  const before = fieldsOf(base);
  const theirs = fieldsOf(now);
  const kept = NAMES.map((name) => {
    const isMine = fields[name] !== before[name];
    return [name, isMine ? fields[name] : theirs[name]];
  });
  return Object.fromEntries(kept) as Fields;
}
