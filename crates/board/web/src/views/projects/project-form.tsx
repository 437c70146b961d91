/** The fields of a project. */

import { Choice, Field, FlowChoice, plainly } from "../../ui/fields";
import { STATUSES, withTitle, type ProjectFields } from "./fields";

/** Shows the fields. Only a new project has a choice of its id. */
export function ProjectForm(props: {
  fields: ProjectFields;
  isNew: boolean;
  onFields: (fields: ProjectFields) => void;
}) {
  const { fields, isNew, onFields } = props;
  const set = (more: Partial<ProjectFields>) => onFields({ ...fields, ...more });
  return (
    <>
      <label>
        Title
        <input
          required
          maxLength={1_000}
          value={fields.title}
          onInput={(event) => {
            const title = event.currentTarget.value;
            if (isNew) onFields(withTitle(fields, title));
            else set({ title });
          }}
        />
      </label>
      <label>
        Description
        <textarea
          rows={4}
          maxLength={16_000}
          value={fields.description}
          onInput={(event) => set({ description: event.currentTarget.value })}
        />
      </label>
      {isNew && (
        <Field label="Id" value={fields.id} isRequired onValue={(id) => set({ id })} />
      )}
      <div class="beside">
        <Field
          label="Branch of its tasks"
          value={fields.branch}
          isRequired={isNew}
          onValue={(branch) => set({ branch })}
        />
        <Field
          label="Merged into"
          value={fields.base_branch}
          onValue={(base_branch) => set({ base_branch })}
        />
      </div>
      <div class="beside">
        <Choice
          label="Status"
          value={fields.status}
          options={plainly(STATUSES)}
          onValue={(status) => set({ status })}
        />
        <FlowChoice value={fields.flow} onValue={(flow) => set({ flow })} />
      </div>
    </>
  );
}
