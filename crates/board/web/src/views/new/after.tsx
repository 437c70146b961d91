/** The choice of the tasks that another one waits for. */

import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";

import type { ListedTask } from "../../api/types";
import { moved } from "../../shell/palette-items";
import { useFoundTasks } from "../../state/found";
import { Button, State } from "../../ui/basics";
import { shortId } from "../../ui/words";
import { AFTER_MAX, type Fields } from "./fields";

/** So many tasks are offered. */
const OFFERED_MAX = 8;

type Chosen = Fields["after"];

/** Shows the chosen tasks, and a field that finds more. */
export function After(props: { chosen: Chosen; onChange: (chosen: Chosen) => void }) {
  const { chosen, onChange } = props;
  const text = useSignal("");
  const place = useSignal(0);
  const found = useFoundTasks(text, 2 * OFFERED_MAX);
  const list = useId();
  // What is done is not waited for.
  const free = found.value
    .filter(({ id, queue }) => queue !== "done" && !chosen.some((task) => task.id === id))
    .slice(0, OFFERED_MAX);
  const isOpen = free.length > 0 && chosen.length < AFTER_MAX;
  const choose = (task: ListedTask | undefined) => {
    if (!task) return;
    onChange([...chosen, { id: task.id, title: task.title || task.id }]);
    text.value = "";
    place.value = 0;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined) place.value = moved(place.value, by, free.length);
    else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) choose(free[place.value]);
    else if (event.key === "Escape" && text.value) text.value = "";
    else return;
    event.preventDefault();
  };
  return (
    <div class="after">
      <label>
        After which others: it waits until they are done
        <input
          role="combobox"
          aria-expanded={isOpen}
          aria-controls={isOpen ? list : undefined}
          aria-autocomplete="list"
          aria-activedescendant={isOpen ? `${list}-${place.value}` : undefined}
          placeholder="Search titles and ids"
          spellcheck={false}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
            place.value = 0;
          }}
          onKeyDown={onKeyDown}
        />
      </label>
      {isOpen && <Candidates id={list} tasks={free} place={place.value} choose={choose} />}
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
