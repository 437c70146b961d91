/** Text of a terminal. */

import { madeVisible } from "../../diff/visible";
import { spansOf } from "./ansi";

/** Shows a text of several lines in its colours. Each line begins plain. */
export function AnsiText({ text }: { text: string }) {
  const lines = text.split("\n");
  return (
    <>
      {lines.map((line, index) => (
        <>
          <AnsiLine line={line} />
          {index + 1 < lines.length && "\n"}
        </>
      ))}
    </>
  );
}

/** Shows one line in its colours. */
export function AnsiLine({ line }: { line: string }) {
  return (
    <>
      {spansOf(line).map(({ text, look }) => {
        const seen = madeVisible(text);
        return look ? <span class={look}>{seen}</span> : seen;
      })}
    </>
  );
}
