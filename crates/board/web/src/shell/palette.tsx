/** Search and commands: one field that finds views, commands, scopes and tasks. */

import { useComputed, useSignal, type Signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";

import type { ListedTask, Scopes } from "../api/types";
import { currentBindings } from "../keys/keys";
import { liveStatus, pauseLive } from "../live/live";
import { isUtc, showUtc } from "../state/clock";
import { useFoundTasks } from "../state/found";
import { navigate } from "../state/location";
import { queryNamed } from "../state/queries";
import { scope } from "../state/session";
import { taskPath } from "../state/paths";
import { Shape } from "../ui/basics";
import { useCombobox } from "../ui/combobox";
import { usePressOutside, useReturnedFocus } from "../ui/focus";
import { shortId, stateKind, stateWords } from "../ui/words";
import { views } from "../views/registry";
import { overlay } from "./overlay";
import { commandsOf, matching, type Item } from "./palette-items";
import { scopesQuery } from "./scopes";
import { openScope } from "./start";
import { toggleTheme } from "./theme";
import "./palette.css";

/** The most tasks that are found. */
const TASKS_MAX = 10;

/** Shows the palette. */
export function Palette({ onClose }: { onClose: () => void }) {
  const text = useSignal("");
  const tasks = useFoundTasks(text, TASKS_MAX);
  const commands = useMemo(fixedItems, []);
  const items = useComputed(() => [
    ...matching(commands, text.value),
    ...tasks.value.map(taskItem),
  ]).value;
  const box = useRef<HTMLDivElement>(null);
  useReturnedFocus(box);
  // Before the next event, so that keys typed at once reach the field.
  useLayoutEffect(() => box.current?.querySelector("input")?.focus(), []);
  usePressOutside(() => box.current, onClose);
  const run = (item: Item) => {
    onClose();
    item.run();
  };
  const { field, list, place, at } = useCombobox({
    text,
    items,
    choose: run,
    onOtherKey: (key) => {
      const isLeft = key === "Escape" || key === "Tab";
      if (isLeft) onClose();
      return isLeft;
    },
  });
  return (
    <div class="palette" role="dialog" aria-modal="true" aria-label="Search and commands" ref={box}>
      <input
        {...field}
        aria-label="Search tasks, views, commands and scopes"
        placeholder="Search tasks, views, commands…"
      />
      {items.length > 0 && <Results id={list} items={items} at={at} place={place} run={run} />}
      <p class={items.length > 0 ? "unseen" : "palette-nothing"} role="status">
        {items.length === 0 ? "Nothing found." : `${items.length} found`}
      </p>
    </div>
  );
}

function Results(props: {
  id: string;
  items: readonly Item[];
  /** The place of the item that Enter runs. */
  at: number;
  place: Signal<number>;
  run: (item: Item) => void;
}) {
  const { id, items, at, place } = props;
  const current = useRef<HTMLDivElement>(null);
  useEffect(() => current.current?.scrollIntoView({ block: "nearest" }), [at, items]);
  return (
    <div role="listbox" id={id} aria-label="Found" class="palette-list">
      {items.map((item, index) => (
        <div key={item.id} role="presentation">
          {items[index - 1]?.group !== item.group && (
            <div class="palette-group" role="presentation">
              {item.group}
            </div>
          )}
          <div
            role="option"
            id={`${id}-${index}`}
            class="palette-item"
            aria-selected={index === at}
            ref={index === at ? current : null}
            onPointerMove={() => (place.value = index)}
            onClick={() => props.run(item)}
          >
            <span class="palette-label">{item.label}</span>
            {item.hint && <Hint item={item} />}
          </div>
        </div>
      ))}
    </div>
  );
}

function Hint({ item: { group, hint = "" } }: { item: Item }) {
  if (group === "Tasks") {
    return (
      <span class={`is-${stateKind(hint)}`}>
        <Shape kind={stateKind(hint)} /> {stateWords(hint)}
      </span>
    );
  }
  if (group === "Scopes") return <span class="dim">{hint}</span>;
  return (
    <span>
      {hint.split(" ").map((key, index) => (
        <kbd key={index}>{key}</kbd>
      ))}
    </span>
  );
}

function taskItem(task: ListedTask): Item {
  return {
    id: `task ${task.id}`,
    group: "Tasks",
    label: task.title ? `${task.title} · ${shortId(task.id)}` : task.id,
    hint: task.queue,
    run: () => navigate(taskPath(task.id)),
  };
}

/** What is found without the server: the views, the commands, and the scopes. */
function fixedItems(): Item[] {
  const isPaused = liveStatus.value === "paused";
  const commands: [label: string, run: () => void][] = [
    [isPaused ? "Go on: show what happens" : "Pause: stop what moves", () => pauseLive(!isPaused)],
    ["Dark or light: change the theme", toggleTheme],
    [`Show times ${isUtc.value ? "in local time" : "in UTC"}`, () => showUtc(!isUtc.value)],
    ["Settings", () => (overlay.value = "settings")],
  ];
  const scopes = queryNamed<Scopes>(scopesQuery).data.value?.scopes ?? [];
  return [
    ...views.map(({ segment, title, letter }): Item => ({
      id: `view ${segment}`,
      group: "Views",
      label: title,
      hint: `g ${letter}`,
      run: () => navigate(`/${segment}`),
    })),
    ...commandsOf(currentBindings()),
    ...commands.map(([label, run]): Item => ({ id: label, group: "Commands", label, run })),
    ...scopes
      .filter((known) => known.scope !== scope.value)
      .map(({ scope: name, open_tasks }): Item => ({
        id: `scope ${name}`,
        group: "Scopes",
        label: name,
        hint: `${open_tasks} open`,
        run: () => openScope(name),
      })),
  ];
}
