import { expect, test } from "vitest";

import { spansOf, withoutColours } from "./ansi";
import { failures, linesWith, LogLines, nextOf, saysFailure } from "./log-lines";

const ESC = "\u001b";

test("lines may come in parts", () => {
  const log = new LogLines();
  expect(log.add("one\ntw")).toEqual(["one", "tw"]);
  expect(log.add("o\n\nthree")).toEqual(["one", "two", "", "three"]);
  expect(log.add("\n")).toEqual(["one", "two", "", "three"]);
});

test("of a line that is printed over, the last part is shown", () => {
  const log = new LogLines();
  expect(log.add("10 %\r50 %\r")).toEqual(["50 %"]);
  expect(log.add("100 %\r\nnext\r\n")).toEqual(["100 %", "next"]);
});

test("lines that say that something failed are guessed", () => {
  const bad = [
    "error[E0308]: mismatched types",
    "thread 'main' panicked at src/main.rs:1",
    "FAILED tests/test_a.py::test_b",
    "Traceback (most recent call last):",
    "java.lang.NullPointerException: x",
    `${ESC}[31mer${ESC}[0mror: x`,
    "3 failed, 0 errors",
  ];
  const good = ["test result: ok. 3 passed; 0 failed;", "no errors", "failover", "terror", ""];
  expect(bad.filter((line) => !saysFailure(line))).toEqual([]);
  expect(good.filter(saysFailure)).toEqual([]);
  expect(failures(["a", "error", "b", "fatal: c"])).toEqual([1, 3]);
});

test("a text is found in any case, and in any colours", () => {
  expect(linesWith(["Hello", `he${ESC}[1mll${ESC}[0mo`, "x"], "HELLO")).toEqual([0, 1]);
  expect(linesWith(["a"], "")).toEqual([]);
});

test("the search goes round", () => {
  expect(nextOf([2, 5], 2, 1)).toBe(5);
  expect(nextOf([2, 5], 5, 1)).toBe(2);
  expect(nextOf([2, 5], 2, -1)).toBe(5);
  expect(nextOf([], 2, 1)).toBeUndefined();
});

test("colours are read, and end where they are set back", () => {
  expect(spansOf(`a${ESC}[1;31mb${ESC}[0mc${ESC}[92md${ESC}[39me`)).toEqual([
    { text: "a", look: "" },
    { text: "b", look: "ansi-red ansi-bold" },
    { text: "c", look: "" },
    { text: "d", look: "ansi-green" },
    { text: "e", look: "" },
  ]);
  expect(spansOf(`${ESC}[38;5;196mx${ESC}[38;2;1;2;3my${ESC}[mz`).map(({ text }) => text)).toEqual([
    "x",
    "y",
    "z",
  ]);
});

test("all other sequences are taken out, also those that do not end", () => {
  const hostile = [
    `a${ESC}]8;;javascript:alert(1)${ESC}\\b${ESC}]8;;\u0007c`,
    `a${ESC}[2J${ESC}[1;1Hbc`,
    `a${ESC}(Bb\u0000c\u009b`,
    `abc${ESC}`,
    `abc${ESC}[12;`,
    `abc${ESC}]0;title`,
    `ab${ESC}cc`,
  ];
  for (const line of hostile) {
    expect(withoutColours(line), JSON.stringify(line)).toBe("abc");
    expect(
      spansOf(line)
        .map(({ text }) => text)
        .join(""),
    ).toBe("abc");
  }
  expect(spansOf("<b onclick=x>")).toEqual([{ text: "<b onclick=x>", look: "" }]);
});
