/** The page of a task. */

import { useTitle } from "../../shell/title";

/** Shows the page. */
export function TaskView({ id }: { id: string }) {
  useTitle(id);
  return <div class="view" />;
}
