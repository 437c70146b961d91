/** The fields of the task that a draft becomes. */

import { PRIORITIES } from "../../api/names";
import { rolesQuery } from "../../state/lists";
import { useQuery } from "../../state/queries";
import { Choice, Field, FlowChoice, plainly, ProjectChoice } from "../../ui/fields";
import type { TaskFields } from "./fields";

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
        <Choice
          label="Priority"
          value={fields.priority}
          options={plainly(PRIORITIES)}
          onValue={(priority) => set({ priority })}
        />
        <Role role={fields.role} onRole={(role) => set({ role })} />
      </div>
      <ProjectChoice
        label="Project, whose branch the task gets"
        value={fields.project}
        onValue={(project) => set({ project })}
      />
      <div class="beside">
        <Field
          label="Branch"
          value={fields.branch}
          isRequired
          onValue={(branch) => set({ branch })}
        />
        <FlowChoice value={fields.flow} onValue={(flow) => set({ flow })} />
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
