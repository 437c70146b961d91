/** The view Fleet. */

import { useTitle } from "../../shell/title";

/** Shows the view. */
export function FleetView() {
  useTitle("Fleet");
  return <div class="view" />;
}
