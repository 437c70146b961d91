/** The fields of a project. */

import type { Flow } from "../../api/types";
import { flowsQuery } from "../../state/decisions";
import { useQuery } from "../../state/queries";
import { STATUSES, withTitle, type ProjectFields } from "./fields";

/** Shows the fields. Only a new project has a choice of its id. */
export function ProjectForm(props: {
  fields: ProjectFields;
  isNew: boolean;
  onFields: (fields: ProjectFields) => void;
}) {
  const { fields, isNew, onFields } = props;
  const set = (more: Partial<ProjectFields>) => onFields({ ...fields, ...more });
  const statuses = [...new Set([fields.status, ...STATUSES])];
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
        <label>
          Status
          <select
            value={fields.status}
            onChange={(event) => set({ status: event.currentTarget.value })}
          >
            {statuses.map((status) => (
              <option key={status}>{status}</option>
            ))}
          </select>
        </label>
        <FlowChoice flow={fields.flow} onFlow={(flow) => set({ flow })} />
      </div>
    </>
  );
}

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

/** The choice among the flows that are registered. */
export function FlowChoice({ flow, onFlow }: { flow: string; onFlow: (flow: string) => void }) {
  const known = useQuery<{ flows: Flow[] }>(flowsQuery).data.value?.flows ?? [];
  const names = new Set(known.map(({ name }) => name));
  if (flow) names.add(flow);
  return (
    <label>
      Flow
      <select value={flow} onChange={(event) => onFlow(event.currentTarget.value)}>
        <option value="">default</option>
        {[...names]
          .filter((name) => name !== "default")
          .map((name) => (
            <option key={name}>{name}</option>
          ))}
      </select>
    </label>
  );
}
