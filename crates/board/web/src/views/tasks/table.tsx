/** The table of tasks. Only the rows in sight are in the page. */

import { useComputed } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { useKeys } from "../../keys/keys";
import { canDecide } from "../../state/session";
import { navigate } from "../../state/location";
import type { ListedTask } from "../../api/types";
import type { Rows } from "./list";
import { taskPath } from "../../state/paths";
import { TaskRow, type Shared } from "./row";
import { showRow, useRowHeight, useSeen } from "./window";
import "./table.css";

/** The height of the head, which covers the rows at the top, in pixels. */
const HEAD = 28;

/** How many rows are outlined before their number is known. */
const UNKNOWN = 12;

const COLUMNS: [name: string, title: string][] = [
  ["state", "State"],
  ["title", "Title"],
  ["what", "Reason, progress or result"],
  ["role", "Role"],
  ["agent", "Agent"],
  ["machine", "Machine"],
  ["attempts", "Tries"],
  ["age", "Age"],
];

/** Shows the table. */
export function Table({ list, shared }: { list: Rows; shared: Shared }) {
  const scroller = useRef<HTMLDivElement>(null);
  const rowHeight = useRowHeight();
  const seen = useSeen(scroller, rowHeight).value;
  const rows = list.rows.value;
  const expected = list.total.value ?? UNKNOWN;
  const length = list.isWhole.value ? rows.length : Math.max(expected, rows.length);
  useEffect(() => list.see(seen), [list, seen]);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element) element.scrollTop = list.scrollTop;
  }, [list]);
  const first = Math.min(seen.first, length);
  const places = Array.from({ length: Math.min(seen.last, length) - first }, (_, n) => first + n);
  return (
    <div
      class="table-scroll"
      ref={scroller}
      tabIndex={-1}
      onScroll={(event) => (list.scrollTop = event.currentTarget.scrollTop)}
    >
      <TableKeys list={list} shared={shared} scroller={scroller} rowHeight={rowHeight} />
      <div role="table" aria-label="Tasks" aria-rowcount={length + 1} class="task-table">
        <Head list={list} shared={shared} />
        <div role="rowgroup" style={{ height: `${length * rowHeight}px`, position: "relative" }}>
          <div
            role="presentation"
            style={{ transform: `translateY(${first * rowHeight}px)`, "--row": `${rowHeight}px` }}
          >
            {places.map((place) => {
              const task = rows[place];
              return task ? (
                <TaskRow key={task.id} task={task} place={place} shared={shared} />
              ) : (
                <div key={place} class="task-row is-unknown" aria-hidden="true" />
              );
            })}
          </div>
        </div>
      </div>
    </div>
  );
}

function Head({ list, shared }: { list: Rows; shared: Shared }) {
  const { selection } = shared;
  const picked = useComputed(() => selection.count(list.total.value ?? 0)).value;
  const isAll = selection.picked.value.kind === "all";
  return (
    <div role="rowgroup" class="table-head">
      <div role="row" aria-rowindex={1} class="task-row">
        <span role="columnheader" class="cell-pick">
          {canDecide.value && (
            <label>
              <input
                type="checkbox"
                aria-label="Select all tasks that match"
                checked={isAll && picked > 0}
                ref={(box) => {
                  if (box) box.indeterminate = !isAll && picked > 0;
                }}
                onClick={() => (isAll ? selection.clear() : selection.all())}
              />
            </label>
          )}
        </span>
        {COLUMNS.map(([name, title]) => (
          <span key={name} role="columnheader" class={`cell-${name}`}>
            {title}
          </span>
        ))}
      </div>
    </div>
  );
}

/** The keys of the table. A component of its own, which scrolling does not render again. */
function TableKeys(props: {
  list: Rows;
  shared: Shared;
  scroller: { current: HTMLDivElement | null };
  rowHeight: number;
}) {
  const { list, shared } = props;
  const here = (): ListedTask | undefined => list.get(shared.at.value ?? "");
  const move = (by: number) => {
    const rows = list.rows.peek();
    const at = rows.findIndex(({ id }) => id === shared.at.value);
    const place = at < 0 ? topRow(props.scroller.current, props.rowHeight) : at + by;
    const next = rows[Math.min(Math.max(place, 0), rows.length - 1)];
    if (!next || !props.scroller.current) return;
    shared.at.value = next.id;
    showRow(props.scroller.current, rows.indexOf(next), props.rowHeight, HEAD);
    requestAnimationFrame(() => {
      const link = `[data-row="${CSS.escape(next.id)}"] a.title`;
      props.scroller.current?.querySelector<HTMLElement>(link)?.focus({ preventScroll: true });
    });
  };
  const pick = () => {
    const task = here();
    if (task && canDecide.value) shared.pick(task.id, !shared.selection.has(task.id), false);
  };
  const open = () => {
    const task = here();
    if (task) navigate(taskPath(task.id));
  };
  useKeys([
    { keys: "j", label: "Next row", run: () => move(1), group: "Lists", isRepeated: true },
    { keys: "k", label: "Previous row", run: () => move(-1), group: "Lists", isRepeated: true },
    { keys: "Enter", label: "Open the row", run: open, group: "Lists" },
    { keys: "x", label: "Select or deselect the row", run: pick, group: "Lists" },
  ]);
  return null;
}

/** The first row that is seen whole. */
function topRow(element: HTMLElement | null, rowHeight: number): number {
  return Math.ceil((element?.scrollTop ?? 0) / rowHeight);
}
