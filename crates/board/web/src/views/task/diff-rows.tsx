/** The lines of a file: in one column, or side by side where there is room. */

import { computed, signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { piecesOf, type HunkPieces } from "../../diff/hunks";
import { paired, type Pair } from "../../diff/marks";
import type { Hunk, PatchFile, PatchLine } from "../../diff/parse";
import { madeVisible } from "../../diff/visible";
import { canDecide } from "../../state/session";
import { Lazily } from "./lazily";
import { NoteForm } from "./note-form";
import { isSamePlace, notesOf, type Note } from "./notes";

const SPLIT = "octopoid.diff";
/** Two columns need this much room. */
const WIDE = window.matchMedia("(min-width: 1000px)");
/** The height of a line in pixels, for spaces. */
const LINE = 20;
/** How many rows are rendered together. */
const BLOCK = 150;

const isWide = signal(WIDE.matches);
WIDE.addEventListener("change", () => (isWide.value = WIDE.matches));

const wantsSplit = signal(localStorage.getItem(SPLIT) === "split");

/** Whether lines are shown side by side, if there is room. */
export const isSplit = computed(() => wantsSplit.value && isWide.value);

/** Shows lines side by side, or in one column. */
export function showSplit(is: boolean): void {
  wantsSplit.value = is;
  localStorage.setItem(SPLIT, is ? "split" : "unified");
}

/** About how high the lines of a file are. */
export function heightOf(file: PatchFile): number {
  return file.hunks.reduce((sum, { lines }) => sum + (lines.length + 1) * LINE, 0);
}

/** The notes on a file, and where one is written. */
interface Writing {
  taskId: string;
  path: string;
  notes: readonly Note[];
  at: PatchLine | undefined;
  begin: (line: PatchLine | undefined) => void;
}

/** Shows the hunks of a file. */
export function DiffRows({ taskId, file }: { taskId: string; file: PatchFile }) {
  const [at, begin] = useState<PatchLine | undefined>(undefined);
  // Once for the file: its lines are many, and its notes are few.
  const notes = notesOf(taskId).filter(({ path }) => path === file.path);
  const writing: Writing = { taskId, path: file.path, notes, at, begin };
  return (
    <div class={`code ${isSplit.value ? "is-split" : ""}`} onKeyDown={moveByArrows}>
      {file.hunks.map((hunk, index) => (
        <HunkBlocks key={index} hunk={hunk} path={file.path} writing={writing} />
      ))}
    </div>
  );
}

/** Up and down lead from line number to line number, as in a table. */
function moveByArrows(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const from = event.target;
  if (!by || !(from instanceof HTMLButtonElement) || !from.matches(".number")) return;
  const all = [...event.currentTarget.querySelectorAll<HTMLButtonElement>("button.number")];
  all[all.indexOf(from) + by]?.focus();
  event.preventDefault();
}

function HunkBlocks({ hunk, path, writing }: { hunk: Hunk; path: string; writing: Writing }) {
  const rows: Pair[] = isSplit.value ? paired(hunk.lines) : hunk.lines.map(single);
  const blocks: Pair[][] = [];
  for (let from = 0; from < rows.length; from += BLOCK) blocks.push(rows.slice(from, from + BLOCK));
  return (
    <>
      <div class="hunk-head">
        @@ line {hunk.after || hunk.before} {madeVisible(hunk.section.trim())}
      </div>
      {blocks.map((block, index) => (
        <Lazily key={`${isSplit.value} ${index}`} height={block.length * LINE}>
          {() => <Block rows={block} hunk={hunk} path={path} writing={writing} />}
        </Lazily>
      ))}
    </>
  );
}

function single(line: PatchLine): Pair {
  if (line.kind === "same") return { before: line, after: line };
  return line.kind === "minus" ? { before: line } : { after: line };
}

function Block(props: { rows: Pair[]; hunk: Hunk; path: string; writing: Writing }) {
  const { rows, hunk, path, writing } = props;
  const pieces = piecesOf(hunk, path);
  const isOne = !isSplit.value;
  return (
    <table>
      <tbody>
        {rows.map(({ before, after }, index) =>
          isOne ? (
            <OneRow
              key={index}
              line={(after ?? before)!}
              pieces={pieces}
              writing={writing}
              isFirst={index === 0}
            />
          ) : (
            <SplitRow
              key={index}
              before={before}
              after={after}
              pieces={pieces}
              writing={writing}
              isFirst={index === 0}
            />
          ),
        )}
      </tbody>
    </table>
  );
}

function OneRow(props: {
  line: PatchLine;
  pieces: HunkPieces;
  writing: Writing;
  isFirst: boolean;
}) {
  const { line, pieces, writing, isFirst } = props;
  const isMinus = line.kind === "minus";
  return (
    <>
      <tr class={`is-${line.kind}`}>
        <td class="number">
          {isMinus ? <NumberButton line={line} writing={writing} isFirst={isFirst} /> : line.before}
        </td>
        <td class="number">
          {!isMinus && <NumberButton line={line} writing={writing} isFirst={isFirst} />}
        </td>
        <Text line={line} pieces={pieces} />
      </tr>
      <NoteRow line={line} writing={writing} columns={4} />
    </>
  );
}

function SplitRow(props: {
  before: PatchLine | undefined;
  after: PatchLine | undefined;
  pieces: HunkPieces;
  writing: Writing;
  isFirst: boolean;
}) {
  const { before, after, pieces, writing, isFirst } = props;
  const isSame = before === after;
  return (
    <>
      <tr>
        <Half line={before} pieces={pieces}>
          {isSame
            ? before?.before
            : before && <NumberButton line={before} writing={writing} isFirst={isFirst} />}
        </Half>
        <Half line={after} pieces={pieces}>
          {after && <NumberButton line={after} writing={writing} isFirst={isFirst && !before} />}
        </Half>
      </tr>
      {!isSame && before && <NoteRow line={before} writing={writing} columns={6} />}
      {after && <NoteRow line={after} writing={writing} columns={6} />}
    </>
  );
}

function Half(props: {
  line: PatchLine | undefined;
  pieces: HunkPieces;
  children: ComponentChildren;
}) {
  const { line, pieces, children } = props;
  if (!line) return <td class="void" colSpan={3} />;
  return (
    <>
      <td class={`number is-${line.kind}`}>{children}</td>
      <Text line={line} pieces={pieces} />
    </>
  );
}

const SIGNS = { same: " ", plus: "+", minus: "−" };

function Text({ line, pieces }: { line: PatchLine; pieces: HunkPieces }) {
  return (
    <>
      <td class={`sign is-${line.kind}`}>{SIGNS[line.kind]}</td>
      <td class={`text is-${line.kind}`}>
        {(pieces.get(line) ?? []).map(({ text, syntax, isMarked }) => {
          const seen = madeVisible(text);
          if (!syntax && !isMarked) return seen;
          return (
            <span class={`${syntax ? `syntax-${syntax}` : ""} ${isMarked ? "mark" : ""}`}>
              {seen}
            </span>
          );
        })}
        {line.isUnended && <span class="unended"> no newline at the end</span>}
      </td>
    </>
  );
}

const numberOf = (line: PatchLine) => line.after ?? line.before;

/** The number of a line, on which a note is begun. */
function NumberButton(props: { line: PatchLine; writing: Writing; isFirst: boolean }) {
  const { line, writing, isFirst } = props;
  const number = numberOf(line);
  if (!canDecide.value) return <>{number}</>;
  return (
    <button
      type="button"
      class="number"
      tabIndex={isFirst ? 0 : -1}
      aria-label={`Note on line ${number}${line.kind === "minus" ? " before the change" : ""}`}
      onClick={() => writing.begin(line)}
    >
      {number}
    </button>
  );
}

function NoteRow({
  line,
  writing,
  columns,
}: {
  line: PatchLine;
  writing: Writing;
  columns: number;
}) {
  const place: Omit<Note, "text"> = {
    path: writing.path,
    line: numberOf(line),
    isBefore: line.kind === "minus",
  };
  const note = writing.notes.find((known) => isSamePlace(known, place));
  const isEdited = writing.at === line;
  if (!isEdited && !note) return null;
  return (
    <tr>
      <td colSpan={columns} class="note-cell">
        <NoteForm
          taskId={writing.taskId}
          place={place}
          note={note}
          isEdited={isEdited}
          onEdit={() => writing.begin(line)}
          onClose={() => writing.begin(undefined)}
        />
      </td>
    </tr>
  );
}
