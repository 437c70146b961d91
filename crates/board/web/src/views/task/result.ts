/** The result of a run. An agent wrote it: each member may be missing, or of another type. */

import type { RunDetails } from "../../api/types";

/** A command that was run to check the work. */
export interface Check {
  name: string;
  /** Undefined if it is not known. */
  exitCode: number | undefined;
  seconds: number | undefined;
  tail: string;
}

/** The known members of a result. */
export interface Result {
  summary: string;
  branch: string;
  filesChanged: number | undefined;
  insertions: number | undefined;
  deletions: number | undefined;
  patch: string;
  isPatchCut: boolean;
  checks: Check[];
  sessionRef: string;
  adapter: string;
  prUrl: string;
}

type Members = Record<string, unknown>;

const text = (value: unknown) => (typeof value === "string" ? value : "");
const number = (value: unknown) => (typeof value === "number" ? value : undefined);
const members = (value: unknown): Members =>
  typeof value === "object" && value !== null ? (value as Members) : {};

/** Reads the result of a run. */
export function resultOf(run: RunDetails | undefined): Result {
  const result = members(run?.result);
  const checks = Array.isArray(result.checks) ? result.checks : [];
  return {
    summary: text(result.summary) || text(run?.summary),
    branch: text(result.branch),
    filesChanged: number(result.files_changed),
    insertions: number(result.insertions),
    deletions: number(result.deletions),
    patch: text(result.patch),
    isPatchCut: result.patch_truncated === true,
    checks: checks.map((check) => checkOf(members(check))),
    sessionRef: text(result.session_ref),
    adapter: text(result.adapter),
    prUrl: text(result.pr_url),
  };
}

function checkOf(check: Members): Check {
  return {
    name: text(check.name) || text(check.command) || "a check",
    exitCode: number(check.exit_code),
    seconds: number(check.seconds),
    tail: text(check.tail),
  };
}

/** Whether a check has failed: its exit code is known, and is not 0. */
export function hasFailed(check: Check): boolean {
  return check.exitCode !== undefined && check.exitCode !== 0;
}
