/** What the view Projects reads. */

import { getProject, listTasks } from "../../api/endpoints";
import type { Project, TaskList } from "../../api/types";
import { kinds, type QueryOptions } from "../../state/queries";

/** The most tasks of a project that are shown. The view Tasks has all of them. */
export const TASKS_MAX = 100;

/** One project. */
export function projectQuery(id: string): QueryOptions<Project> {
  return {
    name: `project.${id}`,
    load: (signal) => getProject(id, signal),
    concerns: (event) => event.subject.kind === "project" && event.subject.id === id,
  };
}

/** The tasks of a project, each with the reason why it waits. */
export function tasksOf(id: string): QueryOptions<TaskList> {
  const query = { project_id: id, include: "waiting", limit: TASKS_MAX };
  return {
    name: `project.${id}.tasks`,
    load: (signal) => listTasks(query, signal),
    concerns: kinds("task", "pause", "action"),
  };
}
