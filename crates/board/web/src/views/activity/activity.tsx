/** The view Activity: the journal, the latest events on top, or from a place on. */

import { computed } from "@preact/signals";

import { listTasks } from "../../api/endpoints";
import { parameters } from "../../state/location";
import { useQuery, type QueryOptions } from "../../state/queries";
import { useTitle } from "../../shell/title";
import type { TaskList } from "../../api/types";
import "./activity.css";
import type { Shown } from "./journal";
import { Latest } from "./latest";
import { Place } from "./place";

/** How many of the latest tasks are read for their titles. Other tasks are shown by their ids. */
const TITLES_MAX = 200;

const titlesQuery: QueryOptions<TaskList> = {
  name: "activity.titles",
  load: (signal) => listTasks({ limit: TITLES_MAX }, signal),
  concerns: (event) => event.type === "task.created",
};

/** What the address selects. */
const shown = computed<Shown>(() => ({
  kinds: (parameters.value.get("kinds") ?? "").split(",").filter(Boolean),
  actor: parameters.value.get("actor") ?? "",
}));

/** Shows the view. `id` is the event that the address names. */
export function ActivityView({ id }: { id?: string }) {
  useTitle("Activity");
  const tasks = useQuery(titlesQuery).data.value?.tasks ?? [];
  const titles = new Map(tasks.map((task) => [task.id, task.title || task.id]));
  const at = parameters.value.get("at") ?? id;
  return (
    <div class="view activity">
      <h1>Activity</h1>
      {at === undefined ? (
        <Latest shown={shown.value} titles={titles} />
      ) : (
        <Place key={at} at={at} named={id} shown={shown.value} titles={titles} />
      )}
    </div>
  );
}
