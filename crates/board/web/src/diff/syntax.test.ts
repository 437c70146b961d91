import { expect, test } from "vitest";

import { whyFolded } from "./folded";
import { languageOf } from "./languages";
import { parsePatch } from "./parse";
import { piecesOf } from "./hunks";
import { colouredLines } from "./syntax";
import { madeVisible } from "./visible";

/** The pieces with a kind, as `kind: text`. */
function kinds(path: string, ...lines: string[]): string[] {
  const pieces = colouredLines(lines, languageOf(path)!).flat();
  return pieces.filter(({ syntax }) => syntax).map(({ text, syntax }) => `${syntax}: ${text}`);
}

test("code is divided into pieces, line by line, and stays the same text", () => {
  const lines = ["/* a", "b */ fn main() {", "", '    let a = "<b>";', "}"];
  const coloured = colouredLines(lines, languageOf("a.rs")!);
  expect(coloured.map((pieces) => pieces.map(({ text }) => text).join(""))).toEqual(lines);
  expect(coloured[1]?.[0]).toEqual({ text: "b */", syntax: "comment" });
  expect(coloured[3]).toContainEqual({ text: '"<b>"', syntax: "string" });
});

test("each language has its comments, strings, numbers and words", () => {
  expect(kinds("a.rs", `let c = 'x'; fn f<'a>(v: Vec<u8>) { r#"a"b"# } // é`)).toEqual([
    "keyword: let",
    "string: 'x'",
    "keyword: fn",
    "variable: 'a",
    "type: Vec",
    "keyword: u8",
    'string: r#"a"b"#',
    "comment: // é",
  ]);
  expect(kinds("a.tsx", "const a = `x", "${y}`; f(0x1f, null)")).toEqual([
    "keyword: const",
    "string: `x",
    "string: ${y}`",
    "name: f",
    "literal: 0x1f",
    "literal: null",
  ]);
  expect(kinds("a.py", "@cached", 'def f(): """a', 'b""" # c', "x#y")).toEqual([
    "meta: @cached",
    "keyword: def",
    "name: f",
    'string: """a',
    'string: b"""',
    "comment: # c",
  ]);
  expect(kinds("a.go", "func f() { x := 1.5e-3 }")).toEqual([
    "keyword: func",
    "name: f",
    "literal: 1.5e-3",
  ]);
  expect(kinds("a.h", "#include <a>", "static int x;")).toEqual([
    "meta: #include",
    "keyword: static",
    "keyword: int",
  ]);
  expect(kinds("a.sql", "SELECT 'it''s' FROM t -- x")).toEqual([
    "keyword: SELECT",
    "string: 'it''s'",
    "keyword: FROM",
    "comment: -- x",
  ]);
  expect(kinds("run.sh", 'if [ "$a" ]; then x=${b}; fi # c')).toEqual([
    "keyword: if",
    'string: "$a"',
    "keyword: then",
    "variable: ${b}",
    "keyword: fi",
    "comment: # c",
  ]);
});

test("so have data and documents", () => {
  expect(kinds("a.json", '{"a": [true, "b", 1]}')).toEqual([
    'attribute: "a"',
    "literal: true",
    'string: "b"',
    "literal: 1",
  ]);
  expect(kinds("a.yml", "- name: build # c", '  run: "x"')).toEqual([
    "attribute: name",
    "comment: # c",
    "attribute: run",
    'string: "x"',
  ]);
  expect(kinds("Cargo.toml", "[package]", 'name = "x" # c')).toEqual([
    "name: [package]",
    "attribute: name",
    'string: "x"',
    "comment: # c",
  ]);
  expect(kinds("a.html", '<p class="a"><!-- b --></p>')).toEqual([
    "keyword: <p",
    "attribute: class",
    'string: "a"',
    "keyword: >",
    "comment: <!-- b -->",
    "keyword: </p",
    "keyword: >",
  ]);
  expect(kinds("a.css", ".a:hover { color: var(--b); margin: 2px }")).toEqual([
    "name: .a",
    "name: :hover",
    "attribute: color",
    "type: var",
    "variable: --b",
    "attribute: margin",
    "literal: 2px",
  ]);
  expect(kinds("a.md", "# A", "- `b` **c**")).toEqual([
    "name: # A",
    "keyword: -",
    "string: `b`",
    "meta: **c**",
  ]);
});

test("of a name without a known ending the language is unknown", () => {
  expect(languageOf("Dockerfile")).toBeDefined();
  expect(languageOf("a/LICENSE")).toBeUndefined();
  expect(languageOf("a.constructor")).toBeUndefined();
});

test("hostile code takes no longer than other code", () => {
  const hostile = [
    '"\\'.repeat(30_000),
    "/*".repeat(40_000),
    "`${".repeat(20_000),
    "'''".repeat(20_000),
  ];
  const names = [
    "a.ts",
    "a.rs",
    "a.py",
    "a.md",
    "a.yml",
    "a.css",
    "a.html",
    "a.rb",
    "a.sh",
    "a.sql",
  ];
  // The time of the processor: what other programs need of it does not count.
  const start = process.cpuUsage();
  for (const name of names) {
    for (const code of [...hostile, "a".repeat(90_000), "-".repeat(90_000), " ".repeat(90_000)]) {
      const text = colouredLines([code], languageOf(name)!)
        .flat()
        .map((piece) => piece.text)
        .join("");
      expect(text).toBe(code);
    }
  }
  expect(process.cpuUsage(start).user / 1_000).toBeLessThan(5_000);
}, 120_000);

test("code that is too long is plain, and of a long line the beginning is shown", () => {
  const long = "let a = 1;".repeat(11_000);
  expect(colouredLines([long], languageOf("a.rs")!)).toEqual([[{ text: long }]]);
  const [file] = parsePatch(`diff --git a/a.rs b/a.rs\n@@ -0,0 +1 @@\n+${long}\n`);
  const hunk = file!.hunks[0]!;
  const pieces = piecesOf(hunk, "a.rs").get(hunk.lines[0]!);
  expect(pieces?.map(({ text }) => text.length)).toEqual([
    2_000,
    "… 108,000 more characters".length,
  ]);
});

test("lock files, generated files and large changes are folded, with the reason", () => {
  const why = (path: string, lines: string[]) => {
    const text = lines.map((line) => `+${line}`).join("\n");
    const head = `diff --git a/${path} b/${path}\n@@ -0,0 +1,${lines.length} @@`;
    return whyFolded(parsePatch(`${head}\n${text}\n`)[0]!);
  };
  expect(why("src/main.rs", ["fn main() {}"])).toBeUndefined();
  expect(why("web/package-lock.json", ["{}"])).toBe("a lock file");
  expect(why("web/dist/a.js", ["a"])).toBe("a generated file");
  expect(why("api.go", ["// Code generated by x. DO NOT EDIT."])).toMatch(/as it says/);
  expect(
    why(
      "a.txt",
      Array.from({ length: 1_200 }, () => "a"),
    ),
  ).toBe("1,200 changed lines");
});

test("characters that hide something are named", () => {
  expect(madeVisible("a\u202eb\r")).toBe("a⟨U+202E⟩b␍");
  expect(madeVisible("ä\tb")).toBe("ä\tb");
  expect(madeVisible("\u001b[31m")).toBe("⟨U+001B⟩[31m");
});
