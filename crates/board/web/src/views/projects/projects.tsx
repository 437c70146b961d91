/** The view Projects. */

import { useTitle } from "../../shell/title";

/** Shows the view. */
export function ProjectsView() {
  useTitle("Projects");
  return <div class="view" />;
}
