/** What lies above the view. */

import { signal } from "@preact/signals";

/** The names of what can lie above a view. */
type Overlay = "help" | "palette" | "new-task" | "settings";

/** What lies above the view now. */
export const overlay = signal<Overlay | undefined>(undefined);
