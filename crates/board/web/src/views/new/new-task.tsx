/** The form of a new task. */

import { Panel } from "../../ui/panel";

/** Shows the form. */
export function NewTask({ onClose }: { onClose: () => void }) {
  return <Panel title="New task" onClose={onClose}>{null}</Panel>;
}
