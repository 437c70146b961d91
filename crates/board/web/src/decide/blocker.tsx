/** The task that another one waits for. */

import { taskPath } from "../state/paths";
import { Link } from "../ui/basics";
import { Said } from "../ui/said";
import { stateWords } from "../ui/words";
import type { Titles } from "./wait-reason";

/**
 * Shows the title and the state of the task after `words`, such as "waits for". If its title is not
 * known, it shows `text`, the sentence of the server, with a link to the task.
 */
export function Blocker(props: {
  id: string;
  words: string;
  text: string;
  titles: Titles | undefined;
}) {
  const { id, words, text, titles } = props;
  const page = taskPath(id);
  const blocker = titles?.get(id);
  if (!blocker) {
    return (
      <>
        <Said text={text} /> · <Link to={page}>show that task</Link>
      </>
    );
  }
  return (
    <>
      {words} <Link to={page}>{blocker.title || id}</Link> ({stateWords(blocker.queue)})
    </>
  );
}
