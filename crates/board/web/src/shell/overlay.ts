/** The overlay above the view. */

import { signal } from "@preact/signals";

/** The names of the overlays. */
type Overlay = "help" | "palette" | "new-task" | "settings";

/** The overlay that is shown, if any. */
export const overlay = signal<Overlay | undefined>(undefined);
