/**
 * The colours of code. This module is loaded when code is shown first, because the languages are as
 * large as the rest of the board.
 */

import bash from "highlight.js/lib/languages/bash";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";

import type { Piece } from "./marks";

const languages = {
  bash,
  cpp,
  css,
  go,
  ini,
  java,
  json,
  markdown,
  python,
  ruby,
  rust,
  sql,
  typescript,
  xml,
  yaml,
};

const lowlight = createLowlight(languages);

/** More than this is not coloured at once, in characters. */
const CODE_MAX = 60_000;

type Node = ReturnType<typeof lowlight.highlight>["children"][number];

/** Divides lines of code into pieces by their kind in the syntax of `language`. */
export function colouredLines(lines: readonly string[], language: string): Piece[][] {
  const code = lines.join("\n");
  if (code.length > CODE_MAX || !lowlight.registered(language)) {
    return lines.map((text) => [{ text }]);
  }
  const coloured: Piece[][] = [[]];
  collect(lowlight.highlight(language, code).children, undefined, coloured);
  return coloured;
}

function collect(nodes: readonly Node[], syntax: string | undefined, lines: Piece[][]): void {
  for (const node of nodes) {
    if (node.type === "element") {
      collect(node.children, kindOf(node.properties.className) ?? syntax, lines);
    } else if (node.type === "text") {
      node.value.split("\n").forEach((text, index) => {
        if (index > 0) lines.push([]);
        if (text) lines.at(-1)!.push({ text, syntax });
      });
    }
  }
}

/** `hljs-keyword` is `keyword`. The second name of a class, such as `function_`, is more exact. */
function kindOf(names: unknown): string | undefined {
  if (!Array.isArray(names)) return undefined;
  const [first = "", second = ""] = names.map(String);
  return KINDS.get(second.replace(/_$/, "")) ?? KINDS.get(first.replace(/^hljs-/, ""));
}

/** The kinds that have a colour. */
const KINDS = new Map(
  Object.entries({
    keyword: "keyword",
    literal: "literal",
    number: "literal",
    symbol: "literal",
    string: "string",
    regexp: "string",
    quote: "comment",
    comment: "comment",
    doctag: "comment",
    title: "name",
    section: "name",
    function: "name",
    class: "name",
    built_in: "type",
    type: "type",
    attr: "attribute",
    attribute: "attribute",
    property: "attribute",
    "selector-class": "name",
    "selector-id": "name",
    "selector-tag": "keyword",
    tag: "plain",
    name: "keyword",
    meta: "meta",
    variable: "variable",
    "template-variable": "variable",
  }),
);
