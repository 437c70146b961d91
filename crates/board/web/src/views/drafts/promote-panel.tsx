/** The panel in which a draft becomes a task or a project. */

import { useState } from "preact/hooks";

import { promoteDraft } from "../../api/endpoints";
import { randomId, UP_FLOW } from "../../api/names";
import type { Draft } from "../../api/types";
import { flowsQuery } from "../../state/lists";
import { navigate } from "../../state/location";
import { useQuery } from "../../state/queries";
import { scope, userName } from "../../state/session";
import { projectPath, taskPath } from "../../state/paths";
import { Problem, useAttempt, type Attempt } from "../../ui/attempt";
import { Button } from "../../ui/basics";
import { Panel } from "../../ui/panel";
import { creation, newFields } from "../projects/fields";
import { ProjectForm } from "../projects/project-form";
import { parted, promotion, taskOf } from "./fields";
import { TaskForm } from "./task-form";

/** Shows the panel. */
export function PromotePanel({ draft, to }: { draft: Draft; to: "task" | "project" }) {
  const close = () => navigate(`/drafts/${draft.id}`, "replace");
  const flows = useQuery(flowsQuery).data.value?.flows;
  // The first field gets the focus when the panel appears, so it must be there by then.
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
      <End attempt={attempt} label="Create the task" onClose={onClose} />
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
      <End attempt={attempt} label="Create the project" onClose={onClose} />
    </form>
  );
}

function End(props: { attempt: Attempt; label: string; onClose: () => void }) {
  return (
    <>
      <Problem attempt={props.attempt} />
      <div class="buttons">
        <Button kind="primary" type="submit" isBusy={props.attempt.isBusy}>
          {props.label}
        </Button>
        <Button onClick={props.onClose}>Not now</Button>
      </div>
    </>
  );
}
