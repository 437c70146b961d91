/** The language of a file, by its name. Which languages are known is in `prism.ts`. */

const BY_EXTENSION: Record<string, string> = {
  bash: "bash",
  c: "c",
  cc: "cpp",
  cjs: "javascript",
  cpp: "cpp",
  css: "css",
  cts: "typescript",
  cxx: "cpp",
  go: "go",
  h: "cpp",
  hpp: "cpp",
  htm: "markup",
  html: "markup",
  ini: "ini",
  js: "javascript",
  json: "json",
  jsonc: "json",
  jsx: "typescript",
  mjs: "javascript",
  mts: "typescript",
  py: "python",
  pyi: "python",
  rs: "rust",
  scss: "css",
  sh: "bash",
  svg: "markup",
  toml: "toml",
  ts: "typescript",
  tsx: "typescript",
  vue: "markup",
  xml: "markup",
  yaml: "yaml",
  yml: "yaml",
  zsh: "bash",
};

const BY_NAME: Record<string, string> = {
  "Cargo.lock": "toml",
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
