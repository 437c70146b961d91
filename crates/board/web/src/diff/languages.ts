/** The language of a file, by its name. Which languages are known is in `syntax.ts`. */

const BY_EXTENSION: Record<string, string> = {
  bash: "bash",
  c: "cpp",
  cc: "cpp",
  cjs: "typescript",
  cpp: "cpp",
  css: "css",
  cts: "typescript",
  cxx: "cpp",
  go: "go",
  h: "cpp",
  hpp: "cpp",
  htm: "xml",
  html: "xml",
  ini: "ini",
  java: "java",
  js: "typescript",
  json: "json",
  jsonc: "json",
  jsx: "typescript",
  markdown: "markdown",
  md: "markdown",
  mjs: "typescript",
  mts: "typescript",
  py: "python",
  pyi: "python",
  rb: "ruby",
  rs: "rust",
  scss: "css",
  sh: "bash",
  sql: "sql",
  svg: "xml",
  toml: "ini",
  ts: "typescript",
  tsx: "typescript",
  vue: "xml",
  xml: "xml",
  yaml: "yaml",
  yml: "yaml",
  zsh: "bash",
};

const BY_NAME: Record<string, string> = {
  "Cargo.lock": "ini",
  Gemfile: "ruby",
  Rakefile: "ruby",
  ".bashrc": "bash",
  ".editorconfig": "ini",
  ".gitconfig": "ini",
};

/** The language of a path; undefined if it is none that is known. */
export function languageOf(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (Object.hasOwn(BY_NAME, name)) return BY_NAME[name];
  const extension = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  return Object.hasOwn(BY_EXTENSION, extension) ? BY_EXTENSION[extension] : undefined;
}
