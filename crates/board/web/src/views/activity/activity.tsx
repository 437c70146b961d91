/** The view Activity. */

import { useTitle } from "../../shell/title";

/** Shows the view. */
export function ActivityView() {
  useTitle("Activity");
  return <div class="view" />;
}
