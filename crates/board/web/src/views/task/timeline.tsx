/** The story of a task as a line through time. */

import { useState } from "preact/hooks";

import type { MessageList, RunList } from "../../api/types";
import { duration } from "../../state/clock";
import { taskPath } from "../../state/paths";
import { Ago, Button, Link, Shape } from "../../ui/basics";
import { counted } from "../../ui/words";
import type { KnownHistory } from "./queries";
import { storyOf, type Chapter } from "./story";

/** How many events at the beginning and at the end of a long story are shown at first. */
const FIRST = 3;
const LAST = 30;

/** The shortest time between two events that is shown, in milliseconds. */
const AT_ONCE_MS = 1_000;

/** Shows the story, the latest last. */
export function Timeline(props: {
  taskId: string;
  history: KnownHistory;
  runs: RunList | undefined;
  thread: MessageList | undefined;
}) {
  const { taskId, history, runs, thread } = props;
  const [isWhole, showWhole] = useState(false);
  const story = storyOf(history.events, runs?.runs ?? [], thread?.messages ?? []);
  const hidden = isWhole ? 0 : Math.max(0, story.length - FIRST - LAST);
  const first = hidden > 0 ? story.slice(0, FIRST) : story;
  const last = hidden > 0 ? story.slice(-LAST) : [];
  return (
    <section aria-labelledby="story">
      <h2 id="story">Story</h2>
      <ol class="story">
        {first.map((chapter) => (
          <ChapterRow key={chapter.key} taskId={taskId} chapter={chapter} />
        ))}
        {hidden > 0 && (
          <li class="chapter">
            <Button kind="quiet" onClick={() => showWhole(true)}>
              Show {counted(hidden, "more thing that happened", "more things that happened")}
            </Button>
          </li>
        )}
        {last.map((chapter) => (
          <ChapterRow key={chapter.key} taskId={taskId} chapter={chapter} />
        ))}
      </ol>
      {!history.isWhole && (
        <p class="dim">Its history is longer: octopoid task history {taskId} prints it all.</p>
      )}
    </section>
  );
}

function ChapterRow({ taskId, chapter }: { taskId: string; chapter: Chapter }) {
  const { kind, words, who, text, run, machine, took, after, at } = chapter;
  const page = `${taskPath(taskId)}?tab=runs&run=${run}`;
  return (
    <li class="chapter">
      <span class="chapter-shape">
        {kind ? (
          <Shape kind={kind} />
        ) : (
          <span class="shape dim" aria-hidden="true">
            ·
          </span>
        )}
      </span>
      <div class="chapter-line">
        <span>
          <strong>{words}</strong>
          {who && <> by {who}</>}
          {machine && <> on {machine}</>}
          {run !== undefined && (
            <>
              {" · "}
              <Link to={page}>run {run}</Link>
            </>
          )}
          {took !== undefined && ` · took ${duration(took)}`}
        </span>
        <span class="dim chapter-time">
          {after !== undefined && after >= AT_ONCE_MS && `${duration(after)} later · `}
          <Ago at={at} />
        </span>
      </div>
      {text && <p class="prose chapter-text">{text}</p>}
    </li>
  );
}
