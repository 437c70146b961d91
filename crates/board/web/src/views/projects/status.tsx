/** The status of projects and drafts, and the branches of a project. */

import type { Project } from "../../api/types";
import { Shape } from "../../ui/basics";
import type { StateKind } from "../../ui/words";

const KINDS: Record<string, StateKind> = {
  active: "running",
  review: "review",
  approved: "done",
  implemented: "done",
  completed: "done",
  rejected: "failed",
};

/** Shows the status. */
export function Status({ status }: { status: string }) {
  const kind = KINDS[status] ?? "waiting";
  return (
    <span class={`state status is-${kind}`}>
      <Shape kind={kind} /> {status}
    </span>
  );
}

/** The branch of a project's tasks, and the branch that it is merged into. */
export function Branches({ project }: { project: Pick<Project, "branch" | "base_branch"> }) {
  return (
    <>
      <code>{project.branch}</code>
      {project.base_branch && (
        <>
          {" "}
          → <code>{project.base_branch}</code>
        </>
      )}
    </>
  );
}
