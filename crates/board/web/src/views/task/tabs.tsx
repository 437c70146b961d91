/** The tabs of the page of a task. The address names the current one. */

import type { Run, RunDetails, Task } from "../../api/types";
import { useKeys } from "../../keys/keys";
import { navigate, parameters } from "../../state/location";
import { taskPath } from "../../state/paths";
import { Link, PlusMinus } from "../../ui/basics";
import { resultOf } from "./result";

/** A part of the page. */
export type Tab = "overview" | "diff" | "log" | "runs" | "thread";

const TABS: { tab: Tab; name: string; key: string }[] = [
  { tab: "overview", name: "Overview", key: "o" },
  { tab: "diff", name: "Diff", key: "d" },
  { tab: "log", name: "Log", key: "l" },
  { tab: "runs", name: "Runs", key: "u" },
  { tab: "thread", name: "Thread", key: "m" },
];

/** The part that the address names. */
export function currentTab(): Tab {
  const named = parameters.value.get("tab");
  return TABS.find(({ tab }) => tab === named)?.tab ?? "overview";
}

function address(id: string, tab: Tab): string {
  const page = taskPath(id);
  return tab === "overview" ? page : `${page}?tab=${tab}`;
}

/** Makes a key lead to each part. */
export function useTabKeys(id: string): void {
  useKeys(
    TABS.map(({ tab, name, key }) => ({
      keys: key,
      label: name,
      run: () => navigate(address(id, tab), "replace"),
      group: "Task",
    })),
  );
}

/** Shows the links to the parts. */
export function Tabs(props: {
  task: Task;
  tab: Tab;
  work: RunDetails | undefined;
  runs: readonly Run[];
}) {
  const { task, tab: current, work, runs } = props;
  const { insertions, deletions } = resultOf(work);
  return (
    <nav class="tabs" aria-label="Parts of the task">
      {TABS.map(({ tab, name, key }) => (
        <Link
          key={tab}
          to={address(task.id, tab)}
          aria-current={tab === current ? "page" : undefined}
          title={`Key: ${key}`}
        >
          {name}
          {tab === "diff" && insertions !== undefined && (
            <span class="tab-count">
              <PlusMinus plus={insertions} minus={deletions ?? 0} />
            </span>
          )}
          {tab === "runs" && runs.length > 0 && <span class="tab-count">{task.run}</span>}
        </Link>
      ))}
    </nav>
  );
}
