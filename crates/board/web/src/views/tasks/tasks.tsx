/** The view Tasks: all tasks of the scope in one table. */

import { signal, useComputed } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";

import type { ListedTask } from "../../api/types";
import { changeNamed, type ChangeName } from "../../bulk/changes";
import { isJobOpen, Job, job } from "../../bulk/job";
import { JobPanel } from "../../bulk/job-panel";
import { titlesOf } from "../../decide/wait-reason";
import { useKeys } from "../../keys/keys";
import { listen } from "../../live/live";
import { useTitle } from "../../shell/title";
import { overlay } from "../../shell/overlay";
import { knownFlows } from "../../state/flows";
import { parameters } from "../../state/location";
import { useQuery } from "../../state/queries";
import { remember } from "../../state/recent";
import { apiKey, scope } from "../../state/session";
import { useTrail } from "../../state/trail";
import { Button, Empty, Link } from "../../ui/basics";
import { FirstTask } from "../../ui/first-steps";
import { Problem } from "../../ui/problem";
import { counted } from "../../ui/words";
import { summaryQuery } from "../now/queries";
import { filterOf, keyOf, parametersOf, queryOf, type Filter } from "./filter";
import { Foot } from "./foot";
import { Rows } from "./list";
import type { Shared } from "./row";
import { builtIn, isSame, savedViews } from "./saved";
import { Selection } from "./selection";
import { Table } from "./table";
import { Toolbar } from "./toolbar";
import { ViewTabs } from "./views";
import "./tasks.css";

/** How many lists are kept, so that going back shows them at once. */
const KEPT_MAX = 5;

const kept = new Map<string, Rows>();

/** The list of a filter. */
function rowsOf(filter: Filter): Rows {
  const key = [scope.value, apiKey.value, keyOf(filter)].join("\n");
  const rows = kept.get(key) ?? new Rows(filter);
  remember(kept, key, rows, KEPT_MAX);
  return rows;
}

/** Shows the view. */
export function TasksView() {
  const filter = filterOf(parameters.value);
  const key = keyOf(filter);
  const summary = useQuery(summaryQuery).data.value;
  const standard = builtIn(summary);
  const saved = savedViews();
  const shown = parametersOf(filter).toString();
  const named = [...standard, ...saved].find((view) => isSame(view.parameters, shown));
  useTitle(named && named.parameters ? `Tasks: ${named.name}` : "Tasks");
  const list = useMemo(() => rowsOf(filter), [key, scope.value]);
  return (
    <div class="view tasks">
      <h1 class="unseen">Tasks</h1>
      <ViewTabs standard={standard} saved={saved} parameters={shown} />
      <Toolbar filter={filter} summary={summary} agentsOf={() => agentsOf(list)} />
      <Listed key={key} list={list} filter={filter} />
    </div>
  );
}

/** The agents that hold loaded tasks. */
function agentsOf(list: Rows): string[] {
  const names = list.rows.value.map((task) => task.claimed_by ?? "");
  return [...new Set(names)].filter(Boolean).sort();
}

/** Shows the list of one filter. */
function Listed({ list, filter }: { list: Rows; filter: Filter }) {
  const selection = useMemo(() => new Selection(), []);
  const shared = useShared(list, filter, selection);
  useTrail("Tasks", () => list.rows.value.map(({ id }) => id));
  const body = useRef<HTMLDivElement>(null);
  useFollowed(list, () => {
    const isPointed = body.current?.matches(":hover, :focus-within") ?? false;
    return !isPointed && list.scrollTop === 0 && selection.isEmpty.value && !job.value;
  });
  const show = () => {
    list.scrollTop = 0;
    body.current?.querySelector(".table-scroll")?.scrollTo(0, 0);
    void list.reload();
  };
  return (
    <>
      <Problem text={list.error.value?.message} onRetry={() => void list.reload()} />
      <div class="task-body" ref={body}>
        {list.news.value > 0 && list.rows.value.length > 0 && (
          <Button kind="primary" class="task-news" onClick={show}>
            {counted(list.news.value, "new task", "new tasks")}: show
          </Button>
        )}
        {list.total.value === 0 && list.rows.value.length === 0 ? (
          <Nothing list={list} filter={filter} />
        ) : (
          <Table list={list} shared={shared} />
        )}
      </div>
      <Foot
        list={list}
        selection={selection}
        onChange={(name) => openJob(name, list, selection, filter)}
      />
      <JobPanel onEnd={() => endJob(list, selection)} />
      <EscapeKey selection={selection} />
    </>
  );
}

function useShared(list: Rows, filter: Filter, selection: Selection): Shared {
  const titles = useComputed(() => titlesOf(list.rows.value));
  const at = useMemo(() => signal<string | undefined>(undefined), []);
  const last = useRef<string | undefined>(undefined);
  const pick = (id: string, is: boolean, isRange: boolean) => {
    const ids = list.rows.value.map((task) => task.id);
    const from = isRange && last.current ? ids.indexOf(last.current) : -1;
    const to = ids.indexOf(id);
    const range = from < 0 ? [id] : ids.slice(Math.min(from, to), Math.max(from, to) + 1);
    selection.set(range, is);
    last.current = id;
  };
  const change = (name: ChangeName, task: ListedTask) =>
    begin(name, { kind: "picked", tasks: [task] });
  return { filter, selection, at, titles, pick, change };
}

/** Keeps a list up to date while it is shown. */
function useFollowed(list: Rows, isCalm: () => boolean): void {
  useEffect(() => {
    list.isCalm = isCalm;
    const stop = listen({
      onEvent: (event) => list.onEvent(event),
      onTick: () => list.onTick(),
      onGap: () => list.onGap(),
    });
    list.enter();
    return () => {
      stop();
      list.leave();
    };
  }, [list]);
}

function openJob(name: ChangeName, list: Rows, selection: Selection, filter: Filter): void {
  const picked = selection.picked.value;
  if (picked.kind === "all") {
    begin(name, { kind: "matching", query: queryOf(filter), except: picked.except });
    return;
  }
  const tasks = list.rows.value.filter(({ id }) => picked.ids.has(id));
  begin(name, { kind: "picked", tasks });
}

function begin(name: ChangeName, source: ConstructorParameters<typeof Job>[1]): void {
  // One at a time: eight requests are enough for the server.
  if (job.value?.phase.value !== "running") {
    job.value?.stop();
    job.value = new Job(changeNamed(name), source);
    void job.value.count(knownFlows);
  }
  isJobOpen.value = true;
}

function endJob(list: Rows, selection: Selection): void {
  selection.clear();
  void list.reload();
}

/** Escape deselects what is selected, unless it closes something. */
function EscapeKey({ selection }: { selection: Selection }) {
  const isFree = !selection.isEmpty.value && !overlay.value && !isJobOpen.value;
  const clear = () => selection.clear();
  useKeys(isFree ? [{ keys: "Escape", label: "Select none", run: clear, group: "Lists" }] : []);
  return null;
}

/** The text where no task matches. */
function Nothing({ list, filter }: { list: Rows; filter: Filter }) {
  if (list.isWeary.value) {
    return (
      <Empty>
        <p>Nothing matches among the newest tasks that are finished.</p>
        <Button onClick={() => list.lookFurther()}>Look further</Button>
      </Empty>
    );
  }
  if (parametersOf({ ...filter, sort: "newest" }).size > 0) {
    return (
      <Empty>
        <p>No task matches.</p>
        <Link to="/tasks">Show all tasks</Link>
      </Empty>
    );
  }
  return <FirstTask />;
}
