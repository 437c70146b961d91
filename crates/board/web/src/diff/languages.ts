/**
 * The languages whose syntax is coloured: what begins a comment, a string and so on in each, and
 * which words it has. That is enough to read a diff by; a grammar of each would be larger than the
 * rest of the board.
 *
 * An agent may write any text. So a pattern that may fail at its end, behind a repetition, is
 * bounded: it must not read the rest of the text at each place.
 */

/** The kinds of syntax that have a colour. */
export type Kind =
  | "comment"
  | "string"
  | "literal"
  | "keyword"
  | "name"
  | "type"
  | "attribute"
  | "variable"
  | "meta";

/** A language. */
export interface Language {
  /** The kinds with the sources of their regular expressions; the first that fits counts. */
  rules: readonly (readonly [Kind, string])[];
  /** The words of the language, separated by spaces. */
  keywords?: string;
  /** Its words that are values, separated by spaces. */
  literals?: string;
  /** Words in any case are the same. */
  isCaseless?: boolean;
  /** Words are coloured by the lists and by their form: `f(` is a name, `Name` a type. */
  hasNames?: boolean;
}

const raw = String.raw;
const END = "(?![^])";

const SLASHES = ["comment", raw`\/\/.*|\/\*[^]*?(?:\*\/|${END})`] as const;
const HASH = ["comment", raw`(?<![^\s])#.*`] as const;
const DOUBLE = raw`"(?:[^"\\\n]|\\[^])*"?`;
const SINGLE = raw`'(?:[^'\\\n]|\\[^])*'?`;
const STRINGS = ["string", `${DOUBLE}|${SINGLE}`] as const;
const NUMBER = [
  "literal",
  raw`(?<![\w$])(?:0[xXbBoO])?\d[\w]*(?:\.\d\w*)?(?:(?<=\d[eE])[+-]\d+)?`,
] as const;

/** The words that most languages of the family of C have. */
const C_WORDS = "break case continue default do else enum for goto if return switch while";
const OBJECTS = `${C_WORDS} abstract catch class extends final finally implements import instanceof
  interface new package private protected public static super this throw throws try void`;

const typescript: Language = {
  rules: [SLASHES, ["string", `${DOUBLE}|${SINGLE}|${raw`\`(?:[^\`\\]|\\[^])*\`?`}`], NUMBER],
  keywords: `${OBJECTS} any as asserts async await boolean const debugger declare delete export
    from function get in infer is keyof let namespace never number object of readonly satisfies
    set string symbol type typeof unknown var with yield`,
  literals: "true false null undefined NaN Infinity",
  hasNames: true,
};

const rust: Language = {
  rules: [
    SLASHES,
    ["string", raw`\bb?r(?<hashes>#{0,20})"[^]*?(?:"\k<hashes>|${END})|"(?:[^"\\]|\\[^])*"?`],
    ["string", raw`b?'(?:[^'\\\n]|\\[^'\n]{1,10}|\\')'`],
    ["variable", raw`'[a-z_]\w*`],
    ["meta", raw`#!?\[[^\]\n]*\]?`],
    NUMBER,
  ],
  keywords: `as async await break const continue crate dyn else enum extern fn for if impl in let
    loop match mod move mut pub ref return self Self static struct super trait type union unsafe
    use where while bool char f32 f64 i8 i16 i32 i64 i128 isize str u8 u16 u32 u64 u128 usize`,
  literals: "true false None Some Ok Err",
  hasNames: true,
};

const python: Language = {
  rules: [
    ["string", raw`"""[^]*?(?:"""|${END})|'''[^]*?(?:'''|${END})|${DOUBLE}|${SINGLE}`],
    HASH,
    ["meta", raw`(?<![^\s])@[\w.]+`],
    NUMBER,
  ],
  keywords: `and as assert async await break case class continue def del elif else except finally
    for from global if import in is lambda match nonlocal not or pass raise return try while with
    yield`,
  literals: "True False None self cls",
  hasNames: true,
};

const go: Language = {
  rules: [SLASHES, ["string", `${DOUBLE}|${SINGLE}|${raw`\`[^\`]*\`?`}`], NUMBER],
  keywords: `${C_WORDS} chan const defer fallthrough func go import interface map package range
    select struct type var any bool byte error float32 float64 int int32 int64 rune string uint`,
  literals: "true false nil iota",
  hasNames: true,
};

const java: Language = {
  rules: [
    SLASHES,
    ["string", raw`"""[^]*?(?:"""|${END})|${DOUBLE}|${SINGLE}`],
    ["meta", raw`@\w+`],
    NUMBER,
  ],
  keywords: `${OBJECTS} as assert async await base bool boolean byte char companion data decimal
    delegate double float foreach fun get in int internal is lateinit lock long namespace native
    object open operator out override params readonly record ref sealed set short string struct
    suspend synchronized transient using val var virtual volatile when where yield`,
  literals: "true false null",
  hasNames: true,
};

const cpp: Language = {
  rules: [SLASHES, STRINGS, ["meta", raw`^[ \t]*#[ \t]*\w+`], NUMBER],
  keywords: `${C_WORDS} auto bool catch char class const constexpr delete double explicit extern
    float friend inline int long mutable namespace new noexcept operator override private
    protected public register short signed sizeof static struct template this throw try typedef
    typename union unsigned using virtual void volatile`,
  literals: "true false NULL nullptr",
  hasNames: true,
};

const ruby: Language = {
  rules: [
    STRINGS,
    HASH,
    ["literal", raw`(?<!:):[a-z_]\w*[?!]?`],
    ["variable", raw`@@?\w+|\$\w+`],
    NUMBER,
  ],
  keywords: `alias and begin break case class def defined do else elsif end ensure for if in
    module next not or private protected public redo require rescue retry return super then undef
    unless until when while yield attr_reader attr_accessor`,
  literals: "true false nil self",
  hasNames: true,
};

const bash: Language = {
  rules: [
    HASH,
    ["string", raw`"(?:[^"\\]|\\[^])*"?|'[^']*'?`],
    ["variable", raw`\$(?:\w+|\{[^}\n]*\}?|[#@*?!$-])`],
    NUMBER,
  ],
  keywords: `case do done elif else esac fi for function if in local return set select then until
    while cd echo eval exec exit export printf read readonly shift source test trap unset`,
};

const sql: Language = {
  rules: [
    ["comment", raw`--.*|\/\*[^]*?(?:\*\/|${END})`],
    ["string", raw`'(?:[^']|'')*'?`],
    NUMBER,
  ],
  keywords: `add all alter and as asc begin between by cascade case check column commit
    constraint create cross database default delete desc distinct drop else end exists explain
    foreign from full group having if in index inner insert into is join key left like limit not
    of offset on or order outer over partition primary references replace returning right
    rollback select set table then to transaction trigger union unique update using values view
    when where with bigint blob boolean char date integer int numeric real serial text timestamp
    varchar`,
  literals: "true false null",
  isCaseless: true,
};

const yaml: Language = {
  rules: [
    HASH,
    ["attribute", raw`(?<=^[ \t-]{0,40})[\w./$][\w ./$-]{0,100}(?=:(?:\s|${END}))`],
    STRINGS,
    ["variable", raw`[&*]\w+|\$\{\{[^}\n]{0,200}\}\}`],
    NUMBER,
  ],
  literals: "true false null yes no on off",
};

const ini: Language = {
  rules: [
    ["comment", raw`(?<![^\s])[#;].*`],
    ["name", raw`^[ \t]*\[[^\]\n]*\]+`],
    ["attribute", raw`^[ \t]*[\w."-]+(?=[ \t]*=)`],
    STRINGS,
    NUMBER,
  ],
  literals: "true false",
};

const json: Language = {
  rules: [SLASHES, ["attribute", raw`"(?:[^"\\\n]|\\.)*"(?=\s*:)`], ["string", DOUBLE], NUMBER],
  literals: "true false null",
};

const xml: Language = {
  rules: [
    ["comment", raw`<!--[^]*?(?:-->|${END})`],
    ["meta", raw`<[!?][^>\n]*>?`],
    ["keyword", raw`<\/?[\w:.-]+|\/?>`],
    ["attribute", raw`(?<=\s)[\w:@.-]+(?==)`],
    STRINGS,
  ],
};

const css: Language = {
  rules: [
    ["comment", raw`\/\*[^]*?(?:\*\/|${END})|(?<!:)\/\/.*`],
    STRINGS,
    ["keyword", raw`@[\w-]+|!important\b`],
    ["variable", raw`(?:--|\$)[\w-]+`],
    ["attribute", raw`(?<![\w-])[\w-]{1,60}(?=\s?:\s)`],
    ["literal", raw`#[\da-fA-F]{3,8}\b|(?<![\w-])\d+(?:\.\d+)?(?:%|\w+)?`],
    ["name", raw`[.#][\w-]+|::?[\w-]+`],
    ["type", raw`(?<![\w-])[\w-]{1,60}(?=\()`],
  ],
};

const markdown: Language = {
  rules: [
    ["comment", raw`<!--[^]*?(?:-->|${END})`],
    ["name", raw`^#{1,6} .*`],
    ["string", raw`^[ \t]*(?:\`\`\`|~~~).*|\`[^\`\n]{1,400}\``],
    ["keyword", raw`^[ \t]*(?:[-*+]|\d+\.)(?= )|^>.*`],
    ["attribute", raw`!?\[[^\]\n]{0,200}\](?=\()`],
    ["meta", raw`\*\*[^*\n]{1,400}\*\*`],
  ],
};

/** The endings of names, by language. */
const ENDINGS: [Language, string][] = [
  [typescript, "ts tsx js jsx mjs cjs mts cts"],
  [rust, "rs"],
  [python, "py pyi"],
  [go, "go"],
  [java, "java kt kts cs scala swift dart groovy gradle php"],
  [cpp, "c h cc cpp cxx hpp hh m"],
  [ruby, "rb gemfile rakefile"],
  [bash, "sh bash zsh dockerfile makefile bashrc profile"],
  [sql, "sql"],
  [yaml, "yaml yml"],
  [ini, "toml ini cfg conf lock editorconfig gitconfig properties env"],
  [json, "json jsonc json5 webmanifest"],
  [xml, "xml html htm svg vue xhtml plist"],
  [css, "css scss less"],
  [markdown, "md markdown mdx"],
];

const BY_ENDING = new Map(
  ENDINGS.flatMap(([language, endings]) =>
    endings.split(" ").map((ending): [string, Language] => [ending, language]),
  ),
);

/** The language of a file, by its name; undefined if it is none that is known. */
export function languageOf(path: string): Language | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  return BY_ENDING.get(name.slice(name.lastIndexOf(".") + 1));
}
