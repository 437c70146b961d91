/** The paths in a patch, which git writes in quotes if they hold unusual characters. */

const ESCAPES: Record<string, number> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '"': 34,
  "\\": 92,
};

/** A path without quotes, if it has any. */
export function plainPath(text: string): string {
  return text.startsWith('"') ? unquoted(text).path : text;
}

/**
 * The path of a line `--- a/x` or `+++ b/x`, without `prefix`; undefined if there is no such file.
 * Behind a path with spaces git writes a tab, and other programs write a time.
 */
export function pathOfLine(text: string, prefix: string): string | undefined {
  const path = text.startsWith('"') ? unquoted(text).path : withoutTime(text);
  if (path === "/dev/null") return undefined;
  return path.startsWith(prefix) ? path.slice(prefix.length) : path;
}

function withoutTime(text: string): string {
  const end = text.lastIndexOf("\t");
  return end < 0 ? text.replace(/\r$/, "") : text.slice(0, end);
}

/**
 * The two paths of a line `diff --git a/x b/x`. Where they differ, and have spaces, the lines that
 * follow name them.
 */
export function pathsOfHeader(text: string): [string, string] {
  let before: string;
  let after: string;
  if (text.startsWith('"')) {
    const first = unquoted(text);
    before = first.path;
    after = plainPath(text.slice(first.end).trimStart());
  } else if (text.endsWith('"') && text.includes(' "')) {
    const middle = text.indexOf(' "');
    before = text.slice(0, middle);
    after = plainPath(text.slice(middle + 1));
  } else {
    const middle = sameTwice(text) ?? text.indexOf(" b/");
    before = middle < 0 ? text : text.slice(0, middle);
    after = middle < 0 ? text : text.slice(middle + 1);
  }
  return [without(before, "a/"), without(after, "b/")];
}

function without(path: string, prefix: string): string {
  return path.startsWith(prefix) ? path.slice(prefix.length) : path;
}

/** Where the space is between twice the same path; undefined if the two differ. */
function sameTwice(text: string): number | undefined {
  const middle = (text.length - 1) / 2;
  if (!Number.isInteger(middle) || text[middle] !== " ") return undefined;
  const isSame = without(text.slice(0, middle), "a/") === without(text.slice(middle + 1), "b/");
  return isSame ? middle : undefined;
}

/** Reads a path in quotes. Its escapes are bytes of UTF-8. `end` is behind the closing quote. */
function unquoted(text: string): { path: string; end: number } {
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  let at = 1;
  while (at < text.length && text[at] !== '"') {
    if (text[at] !== "\\") {
      const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
      bytes.push(...encoder.encode(character));
      at += character.length;
      continue;
    }
    const octal = /^[0-3][0-7]{2}/.exec(text.slice(at + 1, at + 4))?.[0];
    const escaped = text[at + 1] ?? "";
    bytes.push(octal ? Number.parseInt(octal, 8) : (ESCAPES[escaped] ?? escaped.charCodeAt(0)));
    at += octal ? 4 : 2;
  }
  return { path: new TextDecoder().decode(new Uint8Array(bytes)), end: at + 1 };
}
