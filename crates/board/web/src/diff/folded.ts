/** Which files of a patch are folded at first, and why. */

import type { PatchFile } from "./parse";

/** The most changed lines of a file that is not folded. */
const LINES_MAX = 800;
/** The first lines, in which generators say what they are. */
const HEAD_LINES = 10;

const LOCKS = new Set(
  `bun.lock bun.lockb Cargo.lock composer.lock deno.lock flake.lock Gemfile.lock go.sum
  gradle.lockfile mix.lock npm-shrinkwrap.json package-lock.json packages.lock.json pdm.lock
  Pipfile.lock pnpm-lock.yaml poetry.lock pubspec.lock uv.lock yarn.lock`.split(/\s+/),
);

const GENERATED = [
  /(^|\/)(dist|node_modules|vendor|third_party|__generated__|__snapshots__)\//,
  /\.(min\.(js|css)|map|snap|pb\.go|g\.dart)$/,
  /(_pb2(_grpc)?\.pyi?|\.generated\.\w+|\.designer\.cs)$/,
];

const SAYS_GENERATED = /@generated\b|\bDO NOT EDIT\b|^.{0,8}auto-?generated\b/im;

/** Why the file is folded; undefined: it is not. */
export function whyFolded(file: PatchFile): string | undefined {
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  if (file.hunks.length === 0) return undefined;
  if (LOCKS.has(name)) return "a lock file";
  if (GENERATED.some((pattern) => pattern.test(file.path))) return "a generated file";
  if (file.hunks[0]!.lines.slice(0, HEAD_LINES).some(({ text }) => SAYS_GENERATED.test(text))) {
    return "a generated file, as it says";
  }
  const lines = file.insertions + file.deletions;
  if (file.kind === "deleted" && lines > 100) return "a deleted file";
  if (lines > LINES_MAX) return `${lines.toLocaleString("en")} changed lines`;
  return undefined;
}
