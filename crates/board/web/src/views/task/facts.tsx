/** The other facts about a task. */

import type { ComponentChildren } from "preact";

import type { RunDetails, Task } from "../../api/types";
import { Ago, OuterLink } from "../../ui/basics";
import { counted, usageWords } from "../../ui/words";
import { resultOf } from "./result";

/** Shows the facts that are known. `run` is the latest that has handed in work. */
export function Facts({ task, run }: { task: Task; run: RunDetails | undefined }) {
  const result = resultOf(run);
  const usage = usageWords(task.usage);
  const counts = countsOf(task);
  return (
    <section aria-labelledby="facts">
      <h2 id="facts">Facts</h2>
      <dl class="facts">
        {usage && <Fact name="Used in all">{usage}</Fact>}
        {task.run > 0 && <Fact name="Runs">{counts}</Fact>}
        {result.branch && (
          <Fact name="Result">
            <code>{result.branch}</code>
          </Fact>
        )}
        <OuterFact name="Pull request" url={task.pr_url || result.prUrl} />
        <OuterFact name="Preview" url={task.staging_url} />
        {task.execution_notes && <Fact name="Notes">{task.execution_notes}</Fact>}
        {task.complexity && <Fact name="Size">{task.complexity}</Fact>}
        <Fact name="Changed">
          <Ago at={task.updated_at} /> (version {task.version})
        </Fact>
      </dl>
    </section>
  );
}

function countsOf(task: Task): string {
  const words = [counted(task.run, "run")];
  if (task.rejection_count) words.push(`rejected ${counted(task.rejection_count, "time")}`);
  if (task.failure_count) {
    words.push(`failed ${task.failure_count} of ${counted(task.max_attempts ?? 3, "time")}`);
  }
  return words.join(", ");
}

function OuterFact({ name, url }: { name: string; url: string | null | undefined }) {
  if (!url) return null;
  return (
    <Fact name={name}>
      <OuterLink url={url} />
    </Fact>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
