import { describe, expect, test } from "vitest";

import { parsePatch, type PatchFile } from "./parse";

function only(patch: string): PatchFile {
  const files = parsePatch(patch);
  expect(files).toHaveLength(1);
  return files[0]!;
}

const CHANGE = `diff --git a/src/login.rs b/src/login.rs
index 3f9c2ab..4f1c2a9 100644
--- a/src/login.rs
+++ b/src/login.rs
@@ -10,4 +10,5 @@ fn login() {
     let user = find(name)?;
-    check(user, word)
+    let is_right = check(user, word);
+    is_right
 }
 
`;

describe("files", () => {
  test("of a change have lines with both numbers", () => {
    const file = only(CHANGE);
    expect(file).toMatchObject({ kind: "changed", path: "src/login.rs", isCut: false });
    expect([file.insertions, file.deletions]).toEqual([2, 1]);
    const [hunk] = file.hunks;
    expect(hunk).toMatchObject({ before: 10, after: 10, section: "fn login() {" });
    expect(hunk?.lines.map(({ kind, before, after }) => [kind, before, after])).toEqual([
      ["same", 10, 10],
      ["minus", 11, undefined],
      ["plus", undefined, 11],
      ["plus", undefined, 12],
      ["same", 12, 13],
      ["same", 13, 14],
    ]);
  });

  test("that are added, and deleted", () => {
    const files = parsePatch(`diff --git a/new.txt b/new.txt
new file mode 100644
index 0000000..ce01362
--- /dev/null
+++ b/new.txt
@@ -0,0 +1 @@
+hello
diff --git a/old.txt b/old.txt
deleted file mode 100755
index ce01362..0000000
--- a/old.txt
+++ /dev/null
@@ -1 +0,0 @@
-hello
`);
    expect(files.map(({ kind, path }) => [kind, path])).toEqual([
      ["added", "new.txt"],
      ["deleted", "old.txt"],
    ]);
    expect(files[0]?.hunks[0]?.lines).toEqual([{ kind: "plus", text: "hello", after: 1 }]);
    expect(files[1]).toMatchObject({ deletions: 1, modeBefore: "100755" });
  });
});

describe("files of all kinds", () => {
  test("that are empty", () => {
    const file = only(`diff --git a/a b/__init__.py b/a b/__init__.py
new file mode 100644
index 0000000..e69de29
`);
    expect(file).toMatchObject({ kind: "added", path: "a b/__init__.py", hunks: [] });
  });

  test("that are renamed, with and without a change", () => {
    const [bare, changed] = parsePatch(`diff --git a/one name b/another name
similarity index 100%
rename from one name
rename to another name
diff --git a/x.rs b/y.rs
similarity index 90%
rename from x.rs
rename to y.rs
index 1..2 100644
--- a/x.rs
+++ b/y.rs
@@ -1,2 +1,2 @@
 a
-b
+c
`);
    expect(bare).toMatchObject({
      kind: "renamed",
      path: "another name",
      pathBefore: "one name",
      hunks: [],
    });
    expect(changed).toMatchObject({ kind: "renamed", path: "y.rs", pathBefore: "x.rs" });
    expect(changed?.hunks).toHaveLength(1);
  });

  test("that are copied", () => {
    const file = only("diff --git a/a b/b\nsimilarity index 100%\ncopy from a\ncopy to b\n");
    expect(file).toMatchObject({ kind: "copied", path: "b", pathBefore: "a" });
  });
});

describe("files without lines", () => {
  test("whose mode alone changes", () => {
    const file = only("diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n");
    expect(file).toMatchObject({ path: "run.sh", modeBefore: "100644", modeAfter: "100755" });
  });

  test("that are binary, with their bytes and without", () => {
    const files = parsePatch(`diff --git a/a.png b/a.png
index 1..2 100644
GIT binary patch
literal 6
NcmZ?wbhEHbWMp7uXkcIfQGfw#05bv-0001

literal 0
HcmV?d00001

diff --git a/b.png b/b.png
index 1..2 100644
Binary files a/b.png and b/b.png differ
`);
    expect(files.map(({ path, isBinary, hunks }) => [path, isBinary, hunks.length])).toEqual([
      ["a.png", true, 0],
      ["b.png", true, 0],
    ]);
  });

  test("of a patch without the line of git", () => {
    const files = parsePatch(`--- old.c\t2026-01-01 00:00:00
+++ new.c\t2026-01-02 00:00:00
@@ -1 +1 @@
-a
+b
--- x.c
+++ x.c
@@ -1 +1 @@
-a
+b
`);
    expect(files.map(({ path }) => path)).toEqual(["new.c", "x.c"]);
    expect(files[0]?.pathBefore).toBe("old.c");
  });
});

describe("paths", () => {
  const path = (name: string) =>
    only(`diff --git ${name}\n--- ${name.split(" b/")[0]}\n+++ x\n`).path;

  test("with spaces", () => {
    const file = only(`diff --git a/my b/file.txt b/my b/file.txt
--- a/my b/file.txt\t
+++ b/my b/file.txt\t
@@ -1 +1 @@
-a
+b
`);
    expect(file.path).toBe("my b/file.txt");
    expect(file.pathBefore).toBeUndefined();
    expect(path("a/x b/x")).toBe("x");
  });

  test("in quotes are bytes of UTF-8", () => {
    const name = '"a/h\\303\\244\\"\\t\\\\.txt" "b/h\\303\\244\\"\\t\\\\.txt"';
    const file = only(`diff --git ${name}\nold mode 100644\nnew mode 100755\n`);
    expect(file.path).toBe('hä"\t\\.txt');
  });

  test("of which one is in quotes", () => {
    const file = only(
      'diff --git a/plain "b/\\303\\244"\nrename from plain\nrename to "\\303\\244"\n',
    );
    expect(file).toMatchObject({ kind: "renamed", path: "ä", pathBefore: "plain" });
  });

  test("whose quotes do not end, or whose escapes mean nothing", () => {
    expect(only('diff --git "a/x\\q').path).toBeDefined();
    expect(only('diff --git "').path).toBe("");
    expect(only("diff --git ").path).toBe("");
  });
});

describe("lines", () => {
  const hunk = (text: string) => only(`diff --git a/a b/a\n--- a/a\n+++ b/a\n${text}`);

  test("keep the CR of their ends", () => {
    const file = hunk("@@ -1 +1 @@\r\n-a\r\n+b\r\n");
    expect(file.hunks[0]?.lines.map(({ text }) => text)).toEqual(["a\r", "b\r"]);
  });

  test("may lack the end of the file", () => {
    const file = hunk(`@@ -1 +1 @@
-a
\\ No newline at end of file
+b
\\ No newline at end of file
`);
    expect(file.hunks[0]?.lines).toEqual([
      { kind: "minus", text: "a", before: 1, isUnended: true },
      { kind: "plus", text: "b", after: 1, isUnended: true },
    ]);
    expect(file.isCut).toBe(false);
  });

  test("that look like headers belong to their hunk", () => {
    const file = hunk("@@ -1,2 +1,2 @@\n--- a/b\n-- \n+++ b/b\n+@@ -1 +1 @@\n");
    expect(file.hunks).toHaveLength(1);
    expect(file.hunks[0]?.lines.map(({ text }) => text)).toEqual([
      "-- a/b",
      "- ",
      "++ b/b",
      "@@ -1 +1 @@",
    ]);
  });

  test("that are empty have lost their space", () => {
    const file = hunk("@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n");
    expect(file.hunks[0]?.lines.map(({ kind }) => kind)).toEqual(["same", "same", "minus", "plus"]);
  });
});

describe("patches that are damaged", () => {
  test("are read as far as they go, wherever they are cut", () => {
    for (let end = 0; end <= CHANGE.length; end += 1) {
      const files = parsePatch(CHANGE.slice(0, end));
      expect(files.length).toBeLessThanOrEqual(1);
      const text = files.flatMap(({ hunks }) => hunks).flatMap(({ lines }) => lines);
      expect(text.length).toBeLessThanOrEqual(6);
    }
    expect(only(CHANGE.slice(0, CHANGE.indexOf("+    is_right"))).isCut).toBe(true);
  });

  test("go on with the next file", () => {
    const cut = CHANGE.replace("@@ -10,4 +10,5 @@", "@@ -10,400 +10,500 @@").trimEnd();
    const files = parsePatch(`${cut}\n${CHANGE}`);
    expect(files.map(({ isCut }) => isCut)).toEqual([true, false]);
  });

  test("that are no patches have no files", () => {
    for (const text of ["", "\n", "@@ -1 +1 @@\n+a\n", "<script>alert(1)</script>", "--- a\n"]) {
      expect(parsePatch(text)).toEqual([]);
    }
  });

  test("with absurd counts end", () => {
    const file = only("diff --git a/a b/a\n@@ -999999999,999999999 +1,999999999 @@\n+a\n");
    expect(file).toMatchObject({ isCut: true, insertions: 1 });
    expect(only("diff --git a/a b/a\n@@ -9999999999 +1 @@\n+a\n").hunks).toEqual([]);
  });

  test("a megabyte is read at once", () => {
    const lines = Array.from({ length: 20_000 }, (_, line) => `+${line} ${"x".repeat(44)}`);
    const start = performance.now();
    const file = only(`diff --git a/a b/a\n@@ -0,0 +1,20000 @@\n${lines.join("\n")}\n`);
    expect(file.insertions).toBe(20_000);
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});
