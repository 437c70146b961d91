/** The colours of code. */

import type { Kind, Language } from "./languages";
import type { Piece } from "./marks";

/** The longest text that is coloured, in characters. */
const CODE_MAX = 100_000;

/** A language as it is looked for. */
interface Reader {
  pattern: RegExp;
  kinds: Kind[];
  words: ReadonlyMap<string, Kind>;
}

const readers = new WeakMap<Language, Reader>();

function readerOf(language: Language): Reader {
  const known = readers.get(language);
  if (known) return known;
  const rules = language.rules.map(([, source], index) => `(?<rule${index}>${source})`);
  const words = [
    ...wordsOf(language.keywords).map((word): [string, Kind] => [word, "keyword"]),
    ...wordsOf(language.literals).map((word): [string, Kind] => [word, "literal"]),
  ];
  const reader = {
    pattern: new RegExp([...rules, "(?<word>[A-Za-z_$][\\w$]*)"].join("|"), "gm"),
    kinds: language.rules.map(([kind]) => kind),
    words: new Map(words),
  };
  readers.set(language, reader);
  return reader;
}

function wordsOf(list = ""): string[] {
  return list.split(/\s+/).filter(Boolean);
}

/** Divides lines of code into pieces by their kind in the syntax of `language`. */
export function colouredLines(lines: readonly string[], language: Language): Piece[][] {
  const code = lines.join("\n");
  if (code.length > CODE_MAX) return lines.map((text) => (text ? [{ text }] : []));
  const { pattern, kinds, words } = readerOf(language);
  const divided = new Divided();
  let from = 0;
  for (const match of code.matchAll(pattern)) {
    const { index, groups = {} } = match;
    const [text] = match;
    if (text === "") continue;
    const { word } = groups;
    const kind =
      word === undefined
        ? kinds.find((_, rule) => groups[`rule${rule}`] !== undefined)
        : kindOfWord(
            word,
            language,
            words,
            code.slice(index + word.length, index + word.length + 2),
          );
    if (kind === undefined) continue;
    divided.add(code.slice(from, index), undefined);
    divided.add(text, kind);
    from = index + text.length;
  }
  divided.add(code.slice(from), undefined);
  return divided.lines;
}

function kindOfWord(
  word: string,
  language: Language,
  words: ReadonlyMap<string, Kind>,
  next: string,
): Kind | undefined {
  const known = words.get(language.isCaseless ? word.toLowerCase() : word);
  if (known || !language.hasNames) return known;
  if (/^!?[(]/.test(next)) return "name";
  return /^[A-Z][A-Za-z\d]*[a-z]/.test(word) ? "type" : undefined;
}

/** Pieces that may go on over the ends of lines. */
class Divided {
  readonly lines: Piece[][] = [[]];

  add(text: string, syntax: Kind | undefined): void {
    text.split("\n").forEach((part, index) => {
      if (index > 0) this.lines.push([]);
      if (part) this.lines.at(-1)!.push(syntax ? { text: part, syntax } : { text: part });
    });
  }
}
