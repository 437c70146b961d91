/** The view Projects: a list, or one project with its tasks. */

import type { Project } from "../../api/types";
import { projectsQuery, PROJECTS_MAX } from "../../state/lists";
import { parameters, setParameters, navigate } from "../../state/location";
import { useQuery } from "../../state/queries";
import { canDecide } from "../../state/session";
import { projectPath } from "../../state/paths";
import { Ago, Button, Empty, Link } from "../../ui/basics";
import { Loaded } from "../../ui/loading";
import { Row, useCursor, useListKeys, type Cursor } from "../../ui/rows";
import { Tabs } from "../../ui/tabs";
import { useTitle } from "../../shell/title";
import { ProjectPage } from "./project-page";
import { ProjectPanel } from "./project-panel";
import "./projects.css";
import { Branches, Status } from "./status";

/** Shows the view. `id` is the project that the address names. */
export function ProjectsView({ id }: { id?: string }) {
  return id === undefined ? <Projects /> : <ProjectPage id={id} />;
}

function Projects() {
  useTitle("Projects");
  const query = useQuery(projectsQuery);
  const all = query.data.value?.projects ?? [];
  const status = parameters.value.get("status") ?? "";
  const projects = all.filter((project) => status === "" || project.status === status);
  const cursor = useCursor(projects.map((project) => project.id));
  useListKeys(cursor, (id) => navigate(projectPath(id)));
  const isNew = parameters.value.get("new") !== null && canDecide.value;
  return (
    <div class="view projects">
      <div class="section-head">
        <h1>Projects</h1>
        {canDecide.value && (
          <Button onClick={() => setParameters({ new: "1" })}>New project…</Button>
        )}
      </div>
      <Loaded query={query}>
        {() => (
          <>
            {all.length > 0 && (
              <Tabs name="status" values={all.map((project) => project.status)} />
            )}
            {all.length === 0 && <NoProject />}
            <ul class="rows">
              {projects.map((project) => (
                <ProjectRow key={project.id} cursor={cursor} project={project} />
              ))}
            </ul>
            {all.length === PROJECTS_MAX && (
              <p class="dim">Only the newest {PROJECTS_MAX} projects are shown.</p>
            )}
          </>
        )}
      </Loaded>
      {isNew && <ProjectPanel onClose={() => setParameters({ new: undefined })} />}
    </div>
  );
}

function ProjectRow({ cursor, project }: { cursor: Cursor; project: Project }) {
  return (
    <Row cursor={cursor} id={project.id}>
      <div class="line">
        <Status status={project.status} />
        <Link class="title" to={projectPath(project.id)}>
          {project.title}
        </Link>
        <span class="dim">
          <Branches project={project} />
        </span>
        <span class="dim">
          {project.created_by && `${project.created_by} · `}
          <Ago at={project.created_at} />
        </span>
      </div>
    </Row>
  );
}

function NoProject() {
  return (
    <Empty>
      <p>There is no project yet.</p>
      <p class="dim">
        A project holds tasks that belong together, on a branch of their own. A task joins it when
        the task is created.
      </p>
    </Empty>
  );
}
