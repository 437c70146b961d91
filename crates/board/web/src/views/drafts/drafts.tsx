/** The view Drafts. */

import { useTitle } from "../../shell/title";

/** Shows the view. */
export function DraftsView() {
  useTitle("Drafts");
  return <div class="view" />;
}
