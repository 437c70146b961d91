/** The files of a patch: a tree that leads to them, and their lines. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { whyFolded } from "../../diff/folded";
import type { PatchFile } from "../../diff/parse";
import { madeVisible } from "../../diff/visible";
import { useKeys } from "../../keys/keys";
import { canDecide } from "../../state/session";
import { Button, LineCounts } from "../../ui/basics";
import { counted } from "../../ui/words";
import type { FileState } from "./compare";
import { DiffRows, heightOf } from "./diff-rows";
import { FileTree } from "./file-tree";
import { Lazily } from "./lazily";
import { NoteForm } from "./note-form";
import { isSamePlace, notesOf } from "./notes";

/** Shows the files. `states` say how each stands beside an earlier run. */
export function DiffFiles(props: {
  taskId: string;
  files: PatchFile[];
  states?: ReadonlyMap<PatchFile, FileState> | undefined;
  comparedName?: string;
}) {
  const { taskId, files, states, comparedName = "" } = props;
  const list = useRef<HTMLDivElement>(null);
  useFileKeys(list);
  const show = (index: number) => fileAt(list.current, index)?.scrollIntoView({ block: "start" });
  return (
    <div class="diff">
      <FileTree files={files} onChoose={show} />
      <div class="diff-files" ref={list}>
        {files.map((file, index) => (
          <FileSection
            key={index}
            taskId={taskId}
            file={file}
            state={states?.get(file)}
            comparedName={comparedName}
          />
        ))}
      </div>
    </div>
  );
}

function fileAt(list: HTMLElement | null, index: number): Element | undefined {
  return list?.querySelectorAll(".diff-file")[index];
}

/** `j` and `k` lead from file to file. */
function useFileKeys(list: { current: HTMLDivElement | null }): void {
  const move = (by: number) => {
    const all = [...(list.current?.querySelectorAll<HTMLElement>(".diff-file") ?? [])];
    const menu = document.querySelector(".menu")?.getBoundingClientRect().bottom ?? 0;
    const tops = all.map((file) => file.getBoundingClientRect().top - menu);
    const next = by > 0 ? tops.findIndex((top) => top > 8) : tops.findLastIndex((top) => top < -8);
    const file = all[next];
    file?.scrollIntoView({ block: "start" });
    file?.querySelector<HTMLElement>(".diff-fold")?.focus({ preventScroll: true });
  };
  useKeys([
    { keys: "j", label: "Next file", run: () => move(1), group: "Diff", isRepeated: true },
    { keys: "k", label: "Previous file", run: () => move(-1), group: "Diff", isRepeated: true },
  ]);
}

function FileSection(props: {
  taskId: string;
  file: PatchFile;
  state: FileState | undefined;
  comparedName: string;
}) {
  const { taskId, file, state, comparedName } = props;
  const why = useMemo(() => whyFolded(file), [file]);
  const folded = why ?? (state === "same" ? `the same as in ${comparedName}` : undefined);
  const [isOpen, setOpen] = useState(folded === undefined);
  const [isNoted, setNoted] = useState(false);
  // How it stands beside another run is known later than the file.
  useEffect(() => setOpen(folded === undefined), [folded]);
  const note = notesOf(taskId).find((known) => isSamePlace(known, { path: file.path }));
  const name = madeVisible(file.path);
  return (
    <section class="diff-file" aria-label={name}>
      <header class="diff-head">
        <button
          type="button"
          class="diff-fold"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span> <FileName file={file} />
        </button>
        <FileFacts file={file} state={state} comparedName={comparedName} />
        {canDecide.value && (
          <Button kind="quiet" class="small" onClick={() => setNoted(true)}>
            Note
          </Button>
        )}
      </header>
      {(isNoted || note) && (
        <NoteForm
          taskId={taskId}
          place={{ path: file.path }}
          note={note}
          isEdited={isNoted}
          onEdit={() => setNoted(true)}
          onClose={() => setNoted(false)}
        />
      )}
      {!isOpen && folded && file.hunks.length > 0 && (
        <p class="diff-said">
          Folded, because it is {folded}.{" "}
          <Button kind="quiet" class="small" onClick={() => setOpen(true)}>
            Show it
          </Button>
        </p>
      )}
      {isOpen && <FileBody taskId={taskId} file={file} />}
    </section>
  );
}

function FileName({ file }: { file: PatchFile }) {
  const path = madeVisible(file.path);
  const end = path.lastIndexOf("/") + 1;
  return (
    <span class="path">
      {file.pathBefore !== undefined && <span class="dim">{madeVisible(file.pathBefore)} → </span>}
      <span class="dim">{path.slice(0, end)}</span>
      {path.slice(end)}
    </span>
  );
}

const KINDS: Partial<Record<PatchFile["kind"], string>> = {
  added: "new",
  deleted: "deleted",
  renamed: "renamed",
  copied: "copied",
};

const STATES: Record<FileState, string> = {
  same: "the same as in",
  differs: "differs from",
  new: "not in",
};

function FileFacts(props: { file: PatchFile; state: FileState | undefined; comparedName: string }) {
  const { file, state, comparedName } = props;
  const { modeBefore, modeAfter } = file;
  const isNewMode = modeBefore !== undefined && modeAfter !== undefined && modeBefore !== modeAfter;
  return (
    <span class="diff-facts">
      {KINDS[file.kind] && <span class="tag">{KINDS[file.kind]}</span>}
      {isNewMode && (
        <span class="tag">
          mode {modeBefore} → {modeAfter}
        </span>
      )}
      {file.isBinary && <span class="tag">binary</span>}
      {state && (
        <span class="tag">
          {STATES[state]} {comparedName}
        </span>
      )}
      <LineCounts insertions={file.insertions} deletions={file.deletions} />
    </span>
  );
}

/** The lines of a file, or why there are none. */
function FileBody({ taskId, file }: { taskId: string; file: PatchFile }) {
  if (file.hunks.length === 0) {
    const says = file.isBinary
      ? "A binary file: what has changed in it is not shown."
      : file.isCut
        ? "The patch ends here."
        : EMPTY[file.kind];
    return <p class="diff-said">{says}</p>;
  }
  return (
    <>
      <Lazily height={heightOf(file)}>{() => <DiffRows taskId={taskId} file={file} />}</Lazily>
      {file.isCut && (
        <p class="diff-said">
          The patch is cut here, after {counted(file.insertions + file.deletions, "changed line")}.
        </p>
      )}
    </>
  );
}

const EMPTY: Record<PatchFile["kind"], string> = {
  added: "An empty file.",
  deleted: "The file was empty.",
  renamed: "Its content is the same.",
  copied: "Its content is the same.",
  changed: "Its content is the same.",
};
