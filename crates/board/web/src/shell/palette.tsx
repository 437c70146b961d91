/** Search and commands. */

import { Panel } from "../ui/panel";

/** Shows the palette. */
export function Palette({ onClose }: { onClose: () => void }) {
  return <Panel title="Search" onClose={onClose}>{null}</Panel>;
}
