/** The page of a task that does not exist, with its history if it was deleted. */

import { useQuery } from "../../state/queries";
import { scope } from "../../state/session";
import { Empty, Link } from "../../ui/basics";
import { historyQuery } from "./queries";
import { Timeline } from "./timeline";

/** Shows the page. The history of a deleted task can still be read. */
export function Missing({ id }: { id: string }) {
  const query = useQuery(historyQuery(id));
  const history = query.data.value;
  if (!history && !query.error.value) return null;
  if (!history || history.events.length === 0) return <Unknown id={id} />;
  return (
    <div class="view task">
      <h1>A task that was deleted</h1>
      <p class="problem">
        The task <code>{id}</code> is deleted. Its history remains:
      </p>
      <Timeline taskId={id} history={history} runs={undefined} thread={undefined} />
    </div>
  );
}

function Unknown({ id }: { id: string }) {
  return (
    <div class="view task">
      <h1>There is no such task</h1>
      <Empty>
        <p>
          The scope <strong>{scope.value}</strong> has no task <code>{id}</code>. The id may be
          misspelt or shortened, or the task belongs to another scope: choose one above.
        </p>
        <p>
          <Link to="/tasks">All tasks</Link> · <Link to="/">What happens now</Link>
        </p>
      </Empty>
    </div>
  );
}
