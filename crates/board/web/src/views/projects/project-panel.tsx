/** The panel in which a project is created or changed. */

import { useState } from "preact/hooks";

import { createProject, patchProject } from "../../api/endpoints";
import type { Project } from "../../api/types";
import { now } from "../../state/clock";
import { navigate } from "../../state/location";
import { queryNamed } from "../../state/queries";
import { scope, userName } from "../../state/session";
import { projectPath } from "../../state/paths";
import { useAttempt } from "../../ui/attempt";
import { End } from "../../ui/form";
import { Panel } from "../../ui/panel";
import { changes, creation, fieldsOf, newFields } from "./fields";
import { ProjectForm } from "./project-form";
import { projectQuery } from "./queries";

/** Shows the panel. Without a project it creates one, and shows its page. */
export function ProjectPanel({ project, onClose }: { project?: Project; onClose: () => void }) {
  const attempt = useAttempt();
  const [fields, setFields] = useState(project ? fieldsOf(project) : newFields());
  const save = async () => {
    if (!project) {
      const made = await createProject(creation(fields, scope.value, userName.value));
      navigate(projectPath(made.id));
      return;
    }
    const body = changes(project, fields, now.peek());
    if (!body) return;
    const changed = await patchProject(project.id, body);
    queryNamed(projectQuery(project.id)).patch(() => changed);
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await attempt.run(save)) onClose();
  };
  return (
    <Panel title={project ? "Edit the project" : "New project"} onClose={onClose}>
      <form class="form" onSubmit={submit}>
        <ProjectForm fields={fields} isNew={!project} onFields={setFields} />
        <End {...attempt} submit={project ? "Save" : "Create"} onCancel={onClose} />
      </form>
    </Panel>
  );
}
