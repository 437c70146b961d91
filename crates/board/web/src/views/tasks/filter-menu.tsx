/** The choice of filters, with how many tasks each of them has. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { PRIORITIES } from "../../api/names";
import type { Summary } from "../../api/types";
import { projectsQuery, rolesQuery } from "../../state/lists";
import { setParameters } from "../../state/location";
import { useQuery } from "../../state/queries";
import { Shape } from "../../ui/basics";
import { Choice, type Option } from "../../ui/fields";
import { usePressOutside } from "../../ui/focus";
import { stateKind, stateWords } from "../../ui/words";
import { toggled, YES_NO, type Filter } from "./filter";

/** The queues in the order of a task's life. */
const QUEUES = ["incoming", "claimed", "provisional", "done", "failed", "cancelled"];

type Counts = Record<string, number>;

/** Shows the choice. `agentsOf` returns the agents that are known. */
export function FilterMenu(props: {
  filter: Filter;
  summary: Summary | undefined;
  agentsOf: () => readonly string[];
  onClose: () => void;
}) {
  const { filter, onClose } = props;
  const { queues, priorities, roles: open } = props.summary ?? {};
  const roles = useQuery(rolesQuery).data.value?.roles ?? [];
  const roleNames = [...roles.map(({ name }) => name), ...Object.keys(open ?? {})];
  const menu = useRef<HTMLDivElement>(null);
  useEffect(() => menu.current?.querySelector("input")?.focus(), []);
  // The button that opens the menu is beside it, and closes it itself.
  usePressOutside(() => menu.current?.closest(".filter-button") ?? null, onClose);
  useEscape(onClose);
  return (
    <div class="filter-menu" role="dialog" aria-label="Filter" ref={menu} tabIndex={-1}>
      <Group
        title="State"
        name="queue"
        values={union(QUEUES, Object.keys(queues ?? {}), filter.queue)}
        chosen={filter.queue}
        counts={queues}
        label={(queue) => (
          <>
            <Shape kind={stateKind(queue)} /> {stateWords(queue)}
          </>
        )}
      />
      <Group
        title="Priority"
        name="priority"
        values={union(PRIORITIES, filter.priority)}
        chosen={filter.priority}
        counts={priorities}
        counted="unfinished"
      />
      <Group
        title="Role"
        name="role"
        values={union(roleNames.filter(Boolean).sort(), filter.role)}
        chosen={filter.role}
        counts={open}
        counted="unfinished"
      />
      <Others filter={filter} agentsOf={props.agentsOf} />
    </div>
  );
}

function union(...lists: (readonly string[])[]): string[] {
  return [...new Set(lists.flat())];
}

function Group(props: {
  title: string;
  name: "queue" | "priority" | "role";
  values: string[];
  chosen: readonly string[];
  counts: Counts | undefined;
  /** What is counted, where it is not all tasks. */
  counted?: string;
  label?: (value: string) => ComponentChildren;
}) {
  const { name, chosen, counts } = props;
  if (props.values.length === 0) return null;
  return (
    <fieldset>
      <legend>
        {props.title}
        {counts && props.counted && <span class="count">{props.counted}</span>}
      </legend>
      {props.values.map((value) => (
        <label key={value} class="check">
          <input
            type="checkbox"
            checked={chosen.includes(value)}
            onChange={() => setParameters({ [name]: toggled(chosen, value) })}
          />
          <span>{props.label?.(value) ?? value}</span>
          {counts && <span class="count">{(counts[value] ?? 0).toLocaleString("en")}</span>}
        </label>
      ))}
    </fieldset>
  );
}

const ANY: Option = ["", "any"];

/** The filters that have one value. */
function Others({ filter, agentsOf }: { filter: Filter; agentsOf: () => readonly string[] }) {
  const projects = useQuery(projectsQuery).data.value?.projects ?? [];
  return (
    <fieldset class="filter-others">
      <legend>More</legend>
      <label>
        Agent that holds it
        <input
          list="known-agents"
          value={filter.claimed_by}
          onChange={(event) => setParameters({ claimed_by: event.currentTarget.value.trim() })}
        />
        <datalist id="known-agents">
          {agentsOf().map((agent) => (
            <option key={agent} value={agent} />
          ))}
        </datalist>
      </label>
      <Choice
        label="Project"
        value={filter.project_id}
        options={[ANY, ...projects.map(({ id, title }): Option => [id, title])]}
        onValue={(project_id) => setParameters({ project_id })}
      />
      <Choice
        label="Can it be claimed?"
        value={filter.claimable}
        options={[ANY, ...Object.entries(YES_NO.claimable)]}
        onValue={(claimable) => setParameters({ claimable })}
      />
      <Choice
        label="Is it flagged for you?"
        value={filter.needs_intervention}
        options={[ANY, ...Object.entries(YES_NO.needs_intervention)]}
        onValue={(needs_intervention) => setParameters({ needs_intervention })}
      />
    </fieldset>
  );
}

/** Closes the menu by Escape, also while a field of it has the focus. */
function useEscape(onClose: () => void): void {
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      onClose();
    };
    document.addEventListener("keydown", key, true);
    return () => document.removeEventListener("keydown", key, true);
  }, []);
}
