/** Lists of the scope that several views read. */

import { listFlows, listProjects, listRoles } from "../api/endpoints";
import type { FlowList, ProjectList, RoleList } from "../api/types";
import { kinds, type QueryOptions } from "./queries";

/** The most projects that are read. */
export const PROJECTS_MAX = 500;

/** The roles. */
export const rolesQuery: QueryOptions<RoleList> = {
  name: "roles",
  load: (signal) => listRoles(signal),
  concerns: kinds("role"),
};

/** The projects, the newest first. */
export const projectsQuery: QueryOptions<ProjectList> = {
  name: "projects",
  load: (signal) => listProjects({ limit: PROJECTS_MAX }, signal),
  concerns: kinds("project"),
};

/** The flows. */
export const flowsQuery: QueryOptions<FlowList> = {
  name: "flows",
  load: (signal) => listFlows(signal),
  concerns: kinds("flow"),
};
