/** The panel in which a draft becomes a task or a project. */

import { useState } from "preact/hooks";

import { promoteDraft } from "../../api/endpoints";
import { randomId, UP_FLOW } from "../../api/names";
import type { Draft } from "../../api/types";
import { flowsQuery } from "../../state/lists";
import { navigate } from "../../state/location";
import { useQuery } from "../../state/queries";
import { scope, userName } from "../../state/session";
import { draftPath, projectPath, taskPath } from "../../state/paths";
import { useAttempt } from "../../ui/attempt";
import { End } from "../../ui/form";
import { Panel } from "../../ui/panel";
import { creation, newFields } from "../projects/fields";
import { ProjectForm } from "../projects/project-form";
import { parted, promotion, taskOf } from "./fields";
import { TaskForm } from "./task-form";

/** Shows the panel. */
export function PromotePanel({ draft, to }: { draft: Draft; to: "task" | "project" }) {
  const close = () => navigate(draftPath(String(draft.id)), "replace");
  const flows = useQuery(flowsQuery).data.value?.flows;
  // The panel gives the focus to its first field when it appears, so the fields must be known.
  if (!flows) return null;
  const flow = flows.some(({ name }) => name === UP_FLOW) ? UP_FLOW : "";
  return (
    <Panel title={to === "task" ? "Draft to task" : "Draft to project"} onClose={close}>
      {to === "task" ? (
        <ToTask draft={draft} flow={flow} onClose={close} />
      ) : (
        <ToProject draft={draft} onClose={close} />
      )}
    </Panel>
  );
}

function ToTask({ draft, flow, onClose }: { draft: Draft; flow: string; onClose: () => void }) {
  const attempt = useAttempt();
  const [fields, setFields] = useState(() => taskOf(draft, flow));
  const submit = async (event: Event) => {
    event.preventDefault();
    await attempt.run(async () => {
      const body = promotion(fields, randomId(), scope.value);
      const { task } = await promoteDraft(String(draft.id), body);
      if (task) navigate(taskPath(task.id));
    });
  };
  return (
    <form class="form" onSubmit={submit}>
      <TaskForm fields={fields} onFields={setFields} />
      <End {...attempt} submit="Create the task" onCancel={onClose} />
    </form>
  );
}

function ToProject({ draft, onClose }: { draft: Draft; onClose: () => void }) {
  const attempt = useAttempt();
  const [fields, setFields] = useState(() => {
    const { title, rest } = parted(draft.title);
    return { ...newFields(title), description: rest };
  });
  const submit = async (event: Event) => {
    event.preventDefault();
    await attempt.run(async () => {
      const body = { to: "project", ...creation(fields, scope.value, userName.value) };
      const { project } = await promoteDraft(String(draft.id), body);
      if (project) navigate(projectPath(project.id));
    });
  };
  return (
    <form class="form" onSubmit={submit}>
      <ProjectForm fields={fields} isNew onFields={setFields} />
      <End {...attempt} submit="Create the project" onCancel={onClose} />
    </form>
  );
}
