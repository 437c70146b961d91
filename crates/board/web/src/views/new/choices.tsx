/** The fields of a new task in which something is chosen. */

import type { Flow } from "../../api/types";
import { isUtc } from "../../state/clock";
import { useQuery } from "../../state/queries";
import { projectsQuery, rolesQuery } from "../tasks/filter-menu";
import type { Fields } from "./fields";

const PRIORITIES = [
  ["P0", "P0: now"],
  ["P1", "P1: soon"],
  ["P2", "P2: usual"],
  ["P3", "P3: some time"],
] as const;

interface Props {
  fields: Fields;
  set: (change: Partial<Fields>) => void;
}

/** Priority, role and project. */
export function Choices({ fields, set }: Props) {
  const roles = useQuery(rolesQuery).data.value?.roles ?? [];
  const projects = useQuery(projectsQuery).data.value?.projects ?? [];
  const open = projects.filter(({ status }) => !["completed", "archived"].includes(status));
  return (
    <div class="fields">
      <label>
        Priority
        <select
          value={fields.priority}
          onChange={(event) => set({ priority: event.currentTarget.value })}
        >
          {PRIORITIES.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        Role
        {roles.length > 0 ? (
          <select
            value={fields.role}
            onChange={(event) => set({ role: event.currentTarget.value })}
          >
            <option value="">any agent</option>
            {roles.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        ) : (
          <input
            value={fields.role}
            placeholder="any agent"
            onInput={(event) => set({ role: event.currentTarget.value.trim() })}
          />
        )}
      </label>
      <label>
        Project
        <select
          value={fields.project}
          onChange={(event) => set({ project: event.currentTarget.value })}
        >
          <option value="">none</option>
          {open.map(({ id, title }) => (
            <option key={id} value={id}>
              {title}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

/** What is rarely changed: the flow, the branch, and a delay. */
export function More(
  props: Props & { flows: readonly Flow[]; usualFlow: string | undefined },
) {
  const { fields, set, flows, usualFlow } = props;
  const isChanged = fields.flow !== "" || fields.notBefore !== "" || fields.branch !== "main";
  const others = flows.filter(({ name }) => name !== usualFlow);
  return (
    <details open={isChanged}>
      <summary>Not before, flow, branch</summary>
      <div class="fields">
        <label>
          Not before ({isUtc.value ? "UTC" : "local time"})
          <input
            type="datetime-local"
            value={fields.notBefore}
            onChange={(event) => set({ notBefore: event.currentTarget.value })}
          />
        </label>
        <label>
          Flow
          <select
            value={fields.flow}
            onChange={(event) => set({ flow: event.currentTarget.value })}
          >
            <option value="">{usualFlow ?? "default"}</option>
            {others
              .filter(({ name }) => usualFlow !== undefined || name !== "default")
              .map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
          </select>
        </label>
        <label>
          Branch, unless the project has one
          <input
            value={fields.branch}
            spellcheck={false}
            onInput={(event) => set({ branch: event.currentTarget.value })}
          />
        </label>
      </div>
    </details>
  );
}
