/** What is above the table: the search, the filters that are set, and the order. */

import { useEffect, useRef, useState } from "preact/hooks";

import type { Summary } from "../../api/types";
import { useKeys } from "../../keys/keys";
import { navigate, setParameters } from "../../state/location";
import { useQuery } from "../../state/queries";
import { Button } from "../../ui/basics";
import { chipsOf, SEARCH_MAX, type Filter } from "./filter";
import { projectsQuery } from "../../state/lists";
import { FilterMenu } from "./filter-menu";

/** How long a search waits for the next letter, in milliseconds. */
const TYPING_MS = 250;

/** Shows the line. */
export function Toolbar(props: {
  filter: Filter;
  summary: Summary | undefined;
  agentsOf: () => readonly string[];
}) {
  const { filter } = props;
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLSpanElement>(null);
  const close = () => {
    setOpen(false);
    button.current?.querySelector("button")?.focus();
  };
  // The field of the search shows that one.
  const chips = chipsOf(filter).filter(({ name }) => name !== "search");
  return (
    <div class="task-tools" role="group" aria-label="Which tasks are shown">
      <Search text={filter.search} />
      <span class="filter-button" ref={button}>
        <Button aria-expanded={isOpen} aria-haspopup="dialog" onClick={() => setOpen(!isOpen)}>
          Filter
        </Button>
        {isOpen && <FilterMenu {...props} onClose={close} />}
      </span>
      {chips.map(({ name, text }) => (
        <Button
          key={name}
          class="chip"
          aria-label={`Do not filter by ${text}`}
          onClick={() => setParameters({ [name]: undefined })}
        >
          <span>{name === "project_id" ? <ProjectName id={filter.project_id} /> : text}</span>{" "}
          <span aria-hidden="true">✕</span>
        </Button>
      ))}
      {chips.length + (filter.search ? 1 : 0) > 1 && (
        <Button kind="quiet" onClick={() => navigate("/tasks", "replace")}>
          Clear
        </Button>
      )}
      <label class="task-order">
        <span class="unseen">Order</span>
        <select
          value={filter.sort}
          onChange={({ currentTarget: { value } }) =>
            setParameters({ sort: value === "priority" ? value : undefined })
          }
        >
          <option value="newest">Newest first</option>
          <option value="priority">Most urgent first</option>
        </select>
      </label>
    </div>
  );
}

function ProjectName({ id }: { id: string }) {
  const projects = useQuery(projectsQuery).data.value?.projects;
  return <>project {projects?.find((known) => known.id === id)?.title ?? id}</>;
}

/** Searches the titles and the ids while the user types. */
function Search({ text }: { text: string }) {
  const field = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState(text);
  useEffect(() => {
    if (document.activeElement !== field.current) setTyped(text);
  }, [text]);
  useEffect(() => {
    if (typed.trim() === text) return undefined;
    const search = () => setParameters({ search: typed.trim() });
    const timer = window.setTimeout(search, TYPING_MS);
    return () => window.clearTimeout(timer);
  }, [typed]);
  useKeys([
    { keys: "/", label: "Search the tasks", run: () => field.current?.focus(), group: "Lists" },
  ]);
  return (
    <input
      ref={field}
      type="search"
      class="task-search"
      aria-label="Search titles and ids"
      placeholder="Search titles and ids"
      maxLength={SEARCH_MAX}
      value={typed}
      onInput={(event) => setTyped(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") field.current?.blur();
        if (event.key !== "Escape") return;
        event.preventDefault();
        if (typed) setTyped("");
        else field.current?.blur();
      }}
    />
  );
}
