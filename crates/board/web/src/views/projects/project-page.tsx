/** One project: what it is, how far its tasks are, and what can be done with it. */

import { patchProject } from "../../api/endpoints";
import { isClosed } from "../../api/names";
import type { Project } from "../../api/types";
import { now } from "../../state/clock";
import { parameters, setParameters } from "../../state/location";
import { queryNamed, useQuery } from "../../state/queries";
import { canDecide } from "../../state/session";
import { flowPath } from "../../state/paths";
import { Confirmed, useAttempt } from "../../ui/attempt";
import { Ago, Button, Link, OuterLink } from "../../ui/basics";
import { Loaded } from "../../ui/loading";
import { Problem } from "../../ui/problem";
import { useTitle } from "../../shell/title";
import { statusChange } from "./fields";
import { openWords } from "./open";
import { ProjectPanel } from "./project-panel";
import { projectQuery, tasksOf } from "./queries";
import { Branches, Status } from "./status";
import { ProjectTasks } from "./tasks";

/** Shows the page. */
export function ProjectPage({ id }: { id: string }) {
  const query = useQuery(projectQuery(id));
  const tasks = useQuery(tasksOf(id));
  const project = query.data.value;
  useTitle(`${project?.title ?? id} · Projects`);
  const isEdited = parameters.value.get("edit") !== null && canDecide.value;
  const close = () => setParameters({ edit: undefined });
  return (
    <div class="view project">
      <p class="dim">
        <Link to="/projects">Projects</Link> / {id}
      </p>
      <Loaded query={query}>
        {(known) => (
          <>
            <Head project={known} open={openWords(tasks.data.value)} />
            {isEdited && <ProjectPanel project={known} onClose={close} />}
          </>
        )}
      </Loaded>
      <Loaded query={tasks}>
        {(list) => <ProjectTasks id={id} tasks={list.tasks} total={list.total ?? 0} />}
      </Loaded>
    </div>
  );
}

function Head({ project, open }: { project: Project; open: string }) {
  return (
    <>
      <h1>{project.title}</h1>
      <div class="line">
        <Status status={project.status} />
        <span>
          <Branches project={project} />
        </span>
        {project.pr_url && (
          <OuterLink url={project.pr_url}>
            {project.pr_number ? `Pull request ${project.pr_number}` : "Pull request"}
          </OuterLink>
        )}
        {project.flow && (
          <Link to={flowPath(project.flow)}>flow {project.flow}</Link>
        )}
        <span class="dim">
          {project.created_by && `${project.created_by} · `}created <Ago at={project.created_at} />
          {project.completed_at && (
            <>
              , completed <Ago at={project.completed_at} />
            </>
          )}
        </span>
        {canDecide.value && <Choices project={project} open={open} />}
      </div>
      {project.description && <p class="prose description">{project.description}</p>}
    </>
  );
}

function Choices({ project, open }: { project: Project; open: string }) {
  const attempt = useAttempt();
  const move = (status: string) =>
    void attempt.run(async () => {
      const changed = await patchProject(project.id, statusChange(status, now.peek()));
      queryNamed(projectQuery(project.id)).patch(() => changed);
    });
  const isOver = isClosed(project);
  return (
    <>
      <span class="buttons">
        <Button onClick={() => setParameters({ edit: "1" })}>Edit…</Button>
        {isOver && (
          <Button isBusy={attempt.isBusy} onClick={() => move("active")}>
            Reopen
          </Button>
        )}
        {!isOver && (
          <Confirmed
            label="Complete…"
            question={["Complete the project?", open].filter(Boolean).join(" ")}
            yes="Complete"
            isBusy={attempt.isBusy}
            onYes={() => move("completed")}
          />
        )}
        {project.status !== "archived" && (
          <Confirmed
            label="Archive…"
            question="Archive the project? Its tasks stay as they are."
            yes="Archive"
            isBusy={attempt.isBusy}
            onYes={() => move("archived")}
          />
        )}
      </span>
      <Problem text={attempt.problem} />
    </>
  );
}
