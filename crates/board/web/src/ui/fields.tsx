/** Fields of forms. */

import type { ComponentChildren } from "preact";

import { isClosed } from "../api/names";
import { flowsQuery, projectsQuery } from "../state/lists";
import { useQuery } from "../state/queries";

/** A value of a choice, and its text. */
export type Option = readonly [value: string, text: string];

/** A field of one line, for a name that machines read. */
export function Field(props: {
  label: string;
  value: string;
  isRequired?: boolean;
  onValue: (value: string) => void;
}) {
  return (
    <label>
      {props.label}
      <input
        required={props.isRequired ?? false}
        maxLength={500}
        spellcheck={false}
        value={props.value}
        onInput={(event) => props.onValue(event.currentTarget.value)}
      />
    </label>
  );
}

/** A choice. A value that is not among the options is offered as it is. */
export function Choice(props: {
  label: ComponentChildren;
  value: string;
  options: readonly Option[];
  onValue: (value: string) => void;
}) {
  const { value, options } = props;
  const isKnown = options.some(([known]) => known === value);
  return (
    <label>
      {props.label}
      <select value={value} onChange={(event) => props.onValue(event.currentTarget.value)}>
        {!isKnown && <option value={value}>{value}</option>}
        {options.map(([known, text]) => (
          <option key={known} value={known}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Options whose texts are their values. */
export function plainly(values: readonly string[]): Option[] {
  return values.map((value) => [value, value]);
}

interface ChoiceOfId {
  label?: string;
  value: string;
  onValue: (value: string) => void;
}

/** The choice among the projects that take tasks. */
export function ProjectChoice({ label = "Project", value, onValue }: ChoiceOfId) {
  const projects = useQuery(projectsQuery).data.value?.projects ?? [];
  const open = projects.filter((project) => !isClosed(project));
  const options = open.map(({ id, title }): Option => [id, title]);
  return (
    <Choice label={label} value={value} options={[["", "none"], ...options]} onValue={onValue} />
  );
}

/** The choice among the flows that are registered. `usual` is what an empty value means. */
export function FlowChoice(props: ChoiceOfId & { usual?: string | undefined }) {
  const { label = "Flow", value, usual = "default", onValue } = props;
  const flows = useQuery(flowsQuery).data.value?.flows ?? [];
  const others = flows.map(({ name }) => name).filter((name) => name !== usual);
  const options: Option[] = [["", usual], ...plainly(others)];
  return <Choice label={label} value={value} options={options} onValue={onValue} />;
}
