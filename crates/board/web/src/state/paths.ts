/** The addresses of objects on the board, without the scope, which `href` adds. */

const pathIn = (view: string) => (id: string) => `/${view}/${encodeURIComponent(id)}`;

/** The page of a task. */
export const taskPath = pathIn("tasks");
/** The page of a project. */
export const projectPath = pathIn("projects");
/** A machine in the view Fleet. */
export const machinePath = pathIn("fleet");
/** An action in the view Inbox. */
export const actionPath = pathIn("inbox");
/** A draft in the view Drafts. */
export const draftPath = pathIn("drafts");
/** The view of a flow. */
export const flowPath = pathIn("flows");
