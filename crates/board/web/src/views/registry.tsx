/** The views: their addresses, their keys, and what shows them. */

import type { ComponentType } from "preact";

import { ActivityView } from "./activity/activity";
import { DraftsView } from "./drafts/drafts";
import { FleetView } from "./fleet/fleet";
import { FlowView } from "./flow/flow";
import { InboxView } from "./inbox/inbox";
import { NowView } from "./now/now";
import { ProjectsView } from "./projects/projects";
import { TaskView } from "./task/task";
import { TasksView } from "./tasks/tasks";

/** A view of the board. */
interface View {
  /** The first segment of its addresses; empty for the first view. */
  segment: string;
  /** Its name in the menu. */
  title: string;
  /** The key that shows it, after `g`. */
  letter: string;
  /** Shows it. `id` is the second segment of the address, if there is one. */
  component: ComponentType<{ id?: string }>;
  /** Shows one object of it, where that is another view. */
  detail?: ComponentType<{ id: string }>;
}

/** The views, in the order of the menu. */
export const views: readonly View[] = [
  { segment: "", title: "Now", letter: "n", component: NowView },
  { segment: "tasks", title: "Tasks", letter: "t", component: TasksView, detail: TaskView },
  { segment: "fleet", title: "Fleet", letter: "f", component: FleetView },
  { segment: "inbox", title: "Inbox", letter: "i", component: InboxView },
  { segment: "activity", title: "Activity", letter: "a", component: ActivityView },
  { segment: "flows", title: "Flow", letter: "w", component: FlowView },
  { segment: "projects", title: "Projects", letter: "p", component: ProjectsView },
  { segment: "drafts", title: "Drafts", letter: "d", component: DraftsView },
];

/** The view of a path, and the object that it names. */
export function viewOf(path: string): { view: View; id: string | undefined } | undefined {
  const [segment = "", id, ...rest] = path.split("/").slice(1);
  const view = views.find((known) => known.segment === segment);
  if (!view || rest.length > 0) return undefined;
  return { view, id: id ? decoded(id) : undefined };
}

/** A segment that is not well encoded is taken as it is. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
