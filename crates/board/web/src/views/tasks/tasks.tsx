/** The view Tasks. */

import { useTitle } from "../../shell/title";

/** Shows the view. */
export function TasksView() {
  useTitle("Tasks");
  return <div class="view" />;
}
