/** The view Flow. */

import { useTitle } from "../../shell/title";

/** Shows the view. */
export function FlowView() {
  useTitle("Flow");
  return <div class="view" />;
}
