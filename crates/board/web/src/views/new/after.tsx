/** The choice of the tasks that another one waits for. */

import { useSignal, useSignalEffect, type Signal } from "@preact/signals";
import { useId } from "preact/hooks";

import { listTasks } from "../../api/endpoints";
import { ApiError } from "../../api/http";
import type { ListedTask } from "../../api/types";
import { moved } from "../../shell/palette-items";
import { Button, State } from "../../ui/basics";
import { shortId } from "../../ui/words";
import { AFTER_MAX, type Fields } from "./fields";

/** How long a search waits for the next letter, in milliseconds. */
const TYPING_MS = 200;
const FOUND_MAX = 8;

type Chosen = Fields["after"];

/** Shows the chosen tasks, and a field that finds more. */
export function After(props: { chosen: Chosen; onChange: (chosen: Chosen) => void }) {
  const { chosen, onChange } = props;
  const text = useSignal("");
  const place = useSignal(0);
  const found = useCandidates(text);
  const list = useId();
  const free = found.value.filter(({ id }) => !chosen.some((task) => task.id === id));
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

/** The unfinished tasks that a text finds, the newest first. */
function useCandidates(text: Signal<string>): Signal<readonly ListedTask[]> {
  const found = useSignal<readonly ListedTask[]>([]);
  useSignalEffect(() => {
    const search = text.value.trim();
    const stop = new AbortController();
    const read = async () => {
      try {
        const page = await listTasks({ search, limit: 2 * FOUND_MAX }, stop.signal);
        if (stop.signal.aborted) return;
        // What is done is not waited for.
        found.value = page.tasks.filter(({ queue }) => queue !== "done").slice(0, FOUND_MAX);
      } catch (error) {
        if (!stop.signal.aborted && !(error instanceof ApiError)) throw error;
      }
    };
    if (search === "") found.value = [];
    const timer = search === "" ? 0 : window.setTimeout(() => void read(), TYPING_MS);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  });
  return found;
}
