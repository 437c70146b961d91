import { beforeEach, expect, test } from "vitest";

import { clearNotes, notesOf, notesText, writeNote } from "./notes";

beforeEach(() => clearNotes("t"));

test("notes are a line each, in the order of the files", () => {
  writeNote("t", { path: "src/b.rs", line: 3, text: "why?" });
  writeNote("t", { path: "src/a.rs", line: 12, text: " too long " });
  writeNote("t", { path: "src/a.rs", line: 2, isBefore: true, text: "keep this" });
  writeNote("t", { path: "src/a.rs", text: "split it" });
  expect(notesText(notesOf("t"))).toBe(
    "src/a.rs: split it\nsrc/a.rs:2 (before): keep this\nsrc/a.rs:12: too long\nsrc/b.rs:3: why?",
  );
});

test("a second note on a line replaces the first, and an empty one takes it away", () => {
  writeNote("t", { path: "a", line: 1, text: "one" });
  writeNote("t", { path: "a", line: 1, isBefore: true, text: "another side" });
  writeNote("t", { path: "a", line: 1, text: "two" });
  expect(notesText(notesOf("t"))).toBe("a:1 (before): another side\na:1: two");
  writeNote("t", { path: "a", line: 1, text: "  " });
  expect(notesOf("t")).toHaveLength(1);
});

test("notes outlast the page, and what is stored may be anything", () => {
  sessionStorage.setItem("octopoid.notes.u", '[{"path":"a","text":"b"},null,{"path":1}]');
  expect(notesOf("u")).toEqual([{ path: "a", text: "b" }]);
  sessionStorage.setItem("octopoid.notes.v", "{");
  expect(notesOf("v")).toEqual([]);
});
