/**
 * The colours of code. This module is loaded when code is shown first, because most visits show
 * none.
 */

import type { Token, TokenStream } from "prismjs";

import type { Piece } from "./marks";
import { Prism } from "./prism";

/** More than this is not coloured at once, in characters. */
const CODE_MAX = 60_000;

/** Divides lines of code into pieces by their kind in the syntax of `language`. */
export function colouredLines(lines: readonly string[], language: string): Piece[][] {
  const code = lines.join("\n");
  const grammar = Object.hasOwn(Prism.languages, language) ? Prism.languages[language] : undefined;
  if (code.length > CODE_MAX || typeof grammar !== "object") {
    return lines.map((text) => [{ text }]);
  }
  const coloured: Piece[][] = [[]];
  collect(Prism.tokenize(code, grammar), undefined, coloured);
  return coloured;
}

function collect(stream: TokenStream, syntax: string | undefined, lines: Piece[][]): void {
  if (typeof stream === "string") {
    stream.split("\n").forEach((text, index) => {
      if (index > 0) lines.push([]);
      if (text) lines.at(-1)!.push({ text, syntax });
    });
    return;
  }
  const tokens = Array.isArray(stream) ? stream : [stream];
  for (const token of tokens) {
    if (typeof token === "string") collect(token, syntax, lines);
    else collect(token.content, kindOf(token) ?? syntax, lines);
  }
}

/** The kind of a token by its type, else by one of its other names. */
function kindOf({ type, alias }: Token): string | undefined {
  const names = [type, ...(Array.isArray(alias) ? alias : [alias])];
  return names.map((name) => KINDS.get(name)).find((kind) => kind !== undefined);
}

/** The kinds that have a colour. */
const KINDS = new Map(
  Object.entries({
    keyword: "keyword",
    atrule: "keyword",
    selector: "keyword",
    tag: "keyword",
    boolean: "literal",
    number: "literal",
    constant: "literal",
    symbol: "literal",
    null: "literal",
    string: "string",
    "template-string": "string",
    char: "string",
    regex: "string",
    "attr-value": "string",
    url: "string",
    comment: "comment",
    blockquote: "comment",
    function: "name",
    "function-definition": "name",
    "class-name": "name",
    title: "name",
    builtin: "type",
    namespace: "type",
    "attr-name": "attribute",
    key: "attribute",
    property: "attribute",
    attribute: "meta",
    macro: "meta",
    preprocessor: "meta",
    shebang: "meta",
    variable: "variable",
    parameter: "variable",
  }),
);
