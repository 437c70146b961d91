/** The lines of a log. Only those in sight are rendered. */

import type { RefObject } from "preact";
import { useEffect, useImperativeHandle, useLayoutEffect, useRef, useState } from "preact/hooks";

import { AnsiLine } from "./ansi-text";
import { LINE_SHOWN_MAX } from "./log-lines";

/** The height of a line in pixels, as the styles have it. */
const LINE = 18;
/** How many lines are rendered above and below those in sight. */
const MORE = 30;
/** The end counts as in sight within this distance, in pixels. */
const END = 2 * LINE;

/** What other components can do with the view. */
export interface Viewer {
  /** Shows a line in the middle. */
  show: (line: number) => void;
}

/** Shows the lines. `onFollow` is called when the user scrolls away from the end, or back to it. */
export function LogView(props: {
  viewer: RefObject<Viewer | null>;
  lines: readonly string[];
  /** The line that is marked. */
  at: number;
  failures: readonly number[];
  isFollowed: boolean;
  onFollow: (is: boolean) => void;
  onChoose: (line: number) => void;
}) {
  const { viewer, lines, at, isFollowed, onFollow, onChoose } = props;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const height = box.current?.clientHeight ?? 600;
  const show = (line: number) => {
    const element = box.current;
    if (element) element.scrollTop = line * LINE - element.clientHeight / 2;
  };
  useImperativeHandle(viewer, () => ({ show }), []);
  useLayoutEffect(() => {
    const element = box.current;
    if (isFollowed && element) element.scrollTop = element.scrollHeight;
  }, [isFollowed, lines]);
  // The line that the address names is there as soon as the log is.
  const isThere = at < lines.length;
  useEffect(() => {
    if (at >= 0 && isThere) show(at);
  }, [isThere]);
  const lastTop = useRef(0);
  const onScroll = () => {
    const element = box.current;
    if (!element) return;
    const isUp = element.scrollTop < lastTop.current;
    const isEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - END;
    lastTop.current = element.scrollTop;
    setTop(element.scrollTop);
    if (isEnd && !isFollowed && !isUp && at < 0) onFollow(true);
    else if (isUp && !isEnd && isFollowed) onFollow(false);
  };
  const first = Math.max(0, Math.floor(top / LINE) - MORE);
  const end = Math.min(lines.length, Math.ceil((top + height) / LINE) + MORE);
  const bad = new Set(props.failures);
  return (
    <div
      class="log"
      ref={box}
      tabIndex={0}
      role="region"
      aria-label="Lines of the log"
      onScroll={onScroll}
    >
      <div class="log-lines" style={{ height: `${lines.length * LINE}px` }}>
        <div style={{ transform: `translateY(${first * LINE}px)` }}>
          {lines.slice(first, end).map((line, index) => (
            <Line
              key={first + index}
              number={first + index}
              text={line}
              isAt={first + index === at}
              isBad={bad.has(first + index)}
              onChoose={onChoose}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

function Line(props: {
  number: number;
  text: string;
  isAt: boolean;
  isBad: boolean;
  onChoose: (line: number) => void;
}) {
  const { number, text, isAt, isBad, onChoose } = props;
  const rest = text.length - LINE_SHOWN_MAX;
  return (
    <div class={`log-line ${isAt ? "is-at" : ""} ${isBad ? "is-bad" : ""}`}>
      <button
        type="button"
        class="log-number"
        tabIndex={-1}
        aria-label={`Line ${number + 1}: name it in the address`}
        onClick={() => onChoose(number)}
      >
        {isBad ? "✕ " : ""}
        {number + 1}
      </button>
      <span class="log-text">
        <AnsiLine line={rest > 0 ? text.slice(0, LINE_SHOWN_MAX) : text} />
        {rest > 0 && <span class="dim"> … {rest.toLocaleString("en")} more characters</span>}
      </span>
    </div>
  );
}
