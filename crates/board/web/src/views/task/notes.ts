/** Notes on lines of a diff. They become the reason of a rejection, and are kept for this tab. */

import { signal } from "@preact/signals";

import { keptList } from "../../state/kept";

const NOTES = "octopoid.notes.";

/** A note on a line, or on a file. */
export interface Note {
  path: string;
  /** The number of the line; undefined for a note on the file. */
  line?: number | undefined;
  /** The number is that of a line that was removed. */
  isBefore?: boolean | undefined;
  text: string;
}

/** What is kept: the text of each task's notes, as it is in the session's storage. */
const all = signal<ReadonlyMap<string, readonly Note[]>>(new Map());

/** The notes of a task, in the order of files and lines. */
export function notesOf(taskId: string): readonly Note[] {
  return all.value.get(taskId) ?? keptList(sessionStorage, NOTES + taskId, isNote);
}

function isNote(kept: unknown): kept is Note {
  const { path, text } = (kept ?? {}) as Partial<Note>;
  return typeof path === "string" && typeof text === "string";
}

function keep(taskId: string, notes: readonly Note[]): void {
  all.value = new Map(all.value).set(taskId, notes);
  if (notes.length > 0) sessionStorage.setItem(NOTES + taskId, JSON.stringify(notes));
  else sessionStorage.removeItem(NOTES + taskId);
}

/** Whether two notes are on the same line. */
export function isSamePlace(one: Omit<Note, "text">, other: Omit<Note, "text">): boolean {
  const isSide = Boolean(one.isBefore) === Boolean(other.isBefore);
  return one.path === other.path && one.line === other.line && isSide;
}

/** Writes a note. One on the same line is replaced; an empty text takes it away. */
export function writeNote(taskId: string, note: Note): void {
  const others = notesOf(taskId).filter((known) => !isSamePlace(known, note));
  const changed = note.text.trim() ? [...others, { ...note, text: note.text.trim() }] : others;
  changed.sort((one, other) => one.path.localeCompare(other.path) || order(one) - order(other));
  keep(taskId, changed);
}

const order = ({ line }: Note) => line ?? 0;

/** Takes all notes of a task away. */
export function clearNotes(taskId: string): void {
  keep(taskId, []);
}

/** Where a note is: `src/a.rs:12`. */
export function placeOf(note: Omit<Note, "text">): string {
  const line = note.line === undefined ? "" : `:${note.line}`;
  return `${note.path}${line}${note.isBefore ? " (before)" : ""}`;
}

/** The notes as the text of a rejection, a line each. */
export function notesText(notes: readonly Note[]): string {
  return notes.map((note) => `${placeOf(note)}: ${note.text}`).join("\n");
}
