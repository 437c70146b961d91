/** The fields of the task that a draft becomes. */

import { listRoles } from "../../api/endpoints";
import type { RoleList } from "../../api/types";
import { kinds, useQuery, type QueryOptions } from "../../state/queries";
import { Field, FlowChoice } from "../projects/project-form";
import { projectsQuery } from "../projects/queries";
import type { TaskFields } from "./fields";

const PRIORITIES = ["P0", "P1", "P2", "P3"] as const;

const rolesQuery: QueryOptions<RoleList> = {
  name: "roles",
  load: (signal) => listRoles(signal),
  concerns: kinds("role"),
};

/** Shows the fields. */
export function TaskForm(props: { fields: TaskFields; onFields: (fields: TaskFields) => void }) {
  const { fields, onFields } = props;
  const set = (more: Partial<TaskFields>) => onFields({ ...fields, ...more });
  return (
    <>
      <label>
        Title
        <input
          required
          maxLength={1_000}
          value={fields.title}
          onInput={(event) => set({ title: event.currentTarget.value })}
        />
      </label>
      <label>
        What is to be done
        <textarea
          rows={8}
          value={fields.content}
          onInput={(event) => set({ content: event.currentTarget.value })}
        />
      </label>
      <div class="beside">
        <label>
          Priority
          <select
            value={fields.priority}
            onChange={(event) => set({ priority: event.currentTarget.value })}
          >
            {PRIORITIES.map((priority) => (
              <option key={priority}>{priority}</option>
            ))}
          </select>
        </label>
        <Role role={fields.role} onRole={(role) => set({ role })} />
      </div>
      <ProjectChoice project={fields.project} onProject={(project) => set({ project })} />
      <div class="beside">
        <Field
          label="Branch"
          value={fields.branch}
          isRequired
          onValue={(branch) => set({ branch })}
        />
        <FlowChoice flow={fields.flow} onFlow={(flow) => set({ flow })} />
      </div>
    </>
  );
}

function Role({ role, onRole }: { role: string; onRole: (role: string) => void }) {
  const roles = useQuery(rolesQuery).data.value?.roles ?? [];
  return (
    <label>
      Role
      <input
        list="draft-roles"
        maxLength={500}
        placeholder="any agent"
        value={role}
        onInput={(event) => onRole(event.currentTarget.value)}
      />
      <datalist id="draft-roles">
        {roles.map(({ name }) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </label>
  );
}

function ProjectChoice(props: { project: string; onProject: (id: string) => void }) {
  const projects = useQuery(projectsQuery).data.value?.projects ?? [];
  const open = projects.filter(({ status }) => !["completed", "archived"].includes(status));
  return (
    <label>
      Project, whose branch the task gets
      <select
        value={props.project}
        onChange={(event) => props.onProject(event.currentTarget.value)}
      >
        <option value="">none</option>
        {open.map(({ id, title }) => (
          <option key={id} value={id}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}
