/** What the view Drafts reads. */

import { listDrafts } from "../../api/endpoints";
import type { DraftList } from "../../api/types";
import { kinds, type QueryOptions } from "../../state/queries";

/** The most drafts that are shown. */
export const DRAFTS_MAX = 500;

/** The drafts of the scope, the newest first. */
export const draftsQuery: QueryOptions<DraftList> = {
  name: "drafts",
  load: (signal) => listDrafts({ limit: DRAFTS_MAX }, signal),
  concerns: kinds("draft"),
};
