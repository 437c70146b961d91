/** The fields of a new task in which something is chosen. */

import { isUtc } from "../../state/clock";
import { rolesQuery } from "../../state/lists";
import { useQuery } from "../../state/queries";
import { Choice, FlowChoice, plainly, ProjectChoice, type Option } from "../../ui/fields";
import type { Fields } from "./fields";

const PRIORITIES: readonly Option[] = [
  ["P0", "P0: now"],
  ["P1", "P1: soon"],
  ["P2", "P2: usual"],
  ["P3", "P3: some time"],
];

interface Props {
  fields: Fields;
  set: (change: Partial<Fields>) => void;
}

/** Priority, role and project. */
export function Choices({ fields, set }: Props) {
  const roles = useQuery(rolesQuery).data.value?.roles ?? [];
  return (
    <div class="fields">
      <Choice
        label="Priority"
        value={fields.priority}
        options={PRIORITIES}
        onValue={(priority) => set({ priority })}
      />
      {roles.length > 0 ? (
        <Choice
          label="Role"
          value={fields.role}
          options={[["", "any agent"], ...plainly(roles.map(({ name }) => name))]}
          onValue={(role) => set({ role })}
        />
      ) : (
        <label>
          Role
          <input
            value={fields.role}
            placeholder="any agent"
            onInput={(event) => set({ role: event.currentTarget.value.trim() })}
          />
        </label>
      )}
      <ProjectChoice value={fields.project} onValue={(project) => set({ project })} />
    </div>
  );
}

/** What is rarely changed: the flow, the branch, and a delay. */
export function More(
  props: Props & { usualFlow: string | undefined },
) {
  const { fields, set, usualFlow } = props;
  const isChanged = fields.flow !== "" || fields.notBefore !== "" || fields.branch !== "main";
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
        <FlowChoice
          value={fields.flow}
          usual={usualFlow}
          onValue={(flow) => set({ flow })}
        />
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
