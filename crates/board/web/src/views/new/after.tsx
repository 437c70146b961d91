/** The choice of the tasks that another one waits for. */

import { useSignal } from "@preact/signals";

import type { ListedTask } from "../../api/types";
import { useFoundTasks } from "../../state/found";
import { Button, State } from "../../ui/basics";
import { useCombobox } from "../../ui/combobox";
import { shortId } from "../../ui/words";
import { AFTER_MAX, type Fields } from "./fields";

/** The most tasks that are offered. */
const OFFERED_MAX = 8;

type Chosen = Fields["after"];

/** Shows the chosen tasks, and a field that finds more. */
export function After(props: { chosen: Chosen; onChange: (chosen: Chosen) => void }) {
  const { chosen, onChange } = props;
  const text = useSignal("");
  const found = useFoundTasks(text, 2 * OFFERED_MAX);
  // A task does not wait for one that is done.
  const free = found.value.filter(
    ({ id, queue }) => queue !== "done" && !chosen.some((task) => task.id === id),
  );
  const items = chosen.length < AFTER_MAX ? free.slice(0, OFFERED_MAX) : [];
  const { field, list, at, pick } = useCombobox<ListedTask>({
    text,
    items,
    choose: (task) => {
      onChange([...chosen, { id: task.id, title: task.title || task.id }]);
      text.value = "";
    },
    onOtherKey: (key) => {
      const isCleared = key === "Escape" && text.value !== "";
      if (isCleared) text.value = "";
      return isCleared;
    },
  });
  return (
    <div class="after">
      <label>
        After which others: it waits until they are done
        <input {...field} placeholder="Search titles and ids" />
      </label>
      {items.length > 0 && (
        <Candidates id={list} tasks={items} place={at} choose={pick} />
      )}
      <Chips chosen={chosen} onChange={onChange} />
    </div>
  );
}

function Chips({ chosen, onChange }: { chosen: Chosen; onChange: (chosen: Chosen) => void }) {
  if (chosen.length === 0) return null;
  return (
    <div class="chips">
      {chosen.map(({ id, title }) => (
        <Button
          key={id}
          aria-label={`Do not wait for ${title}`}
          onClick={() => onChange(chosen.filter((task) => task.id !== id))}
        >
          {title} <span aria-hidden="true">✕</span>
        </Button>
      ))}
    </div>
  );
}

function Candidates(props: {
  id: string;
  tasks: readonly ListedTask[];
  place: number;
  choose: (task: ListedTask) => void;
}) {
  return (
    <div role="listbox" id={props.id} aria-label="Tasks to wait for" class="candidates">
      {props.tasks.map((task, index) => (
        <div
          key={task.id}
          role="option"
          id={`${props.id}-${index}`}
          class="palette-item"
          aria-selected={index === props.place}
          onClick={() => props.choose(task)}
        >
          <span class="palette-label">
            {task.title || task.id} <span class="dim">{shortId(task.id)}</span>
          </span>
          <State queue={task.queue} />
        </div>
      ))}
    </div>
  );
}
