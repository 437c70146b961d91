/** The view Inbox. */

import { useTitle } from "../../shell/title";

/** Shows the view. */
export function InboxView() {
  useTitle("Inbox");
  return <div class="view" />;
}
