// The public conformance suite, against a server that takes requests without a key, because the
// suite sends none.
//
// OCTOPOID_SERVER is the server. conformance.json says which scenarios apply to a server that has
// tools alone, and which checks of these fail for a reason. Whatever fails besides, passes although
// it is listed, or is not listed, is an error.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const { applies, fails, does_not_apply } = JSON.parse(readFileSync(join(here, "conformance.json"), "utf8"));
const inapplicable = Object.values(does_not_apply).flat();

/// The suite's release knows nothing of 2026-07-28 yet, so its next one is run too. For the version
/// before, that one also compares every message with the specification's schema.
const RUNS = [
  ["the release, all scenarios", "@modelcontextprotocol/conformance", ["--suite", "all"]],
  ["the next release, scenarios of 2026-07-28", "conformance-next", ["--requirements", "2026-07-28"]],
  ["the next release, scenarios of 2025-11-25", "conformance-next", ["--requirements", "2025-11-25"]],
];

/// Runs a suite. Returns the checks of each scenario.
function run(suite, options) {
  const results = mkdtempSync(join(tmpdir(), "octopoid-conformance-"));
  try {
    const main = join(here, "node_modules", suite, "dist/index.js");
    const url = `${process.env.OCTOPOID_SERVER}/mcp?scope=conformance`;
    const { error, stdout, stderr } = spawnSync(
      process.execPath,
      [main, "server", "--url", url, "-o", results, ...options],
      { encoding: "utf8", timeout: 120_000 },
    );
    // Its status is not 0, because scenarios fail that do not apply.
    const folders = readdirSync(results);
    if (error || folders.length === 0) {
      throw new Error(`the suite did not run: ${error ?? ""}\n${stdout}\n${stderr}`);
    }
    return new Map(folders.map((folder) => {
      const [, scenario] = folder.match(/^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/);
      const checks = join(results, folder, "checks.json");
      return [scenario, existsSync(checks) ? JSON.parse(readFileSync(checks, "utf8")) : []];
    }));
  } finally {
    rmSync(results, { recursive: true });
  }
}

/// What is wrong with the checks of a scenario that applies.
function judge(scenario, checks) {
  const expected = fails[scenario] ?? {};
  const failed = checks.filter((check) => check.status === "FAILURE");
  const wrong = failed
    .filter((check) => !(check.id in expected))
    .map((check) => `${scenario}: ${check.id}: ${check.errorMessage ?? check.description}`);
  const seen = checks.map((check) => check.id);
  const stale = Object.keys(expected)
    .filter((id) => seen.includes(id) && !failed.some((check) => check.id === id))
    .map((id) => `${scenario}: ${id} passes: take it out of conformance.json`);
  if (!checks.some((check) => check.status === "SUCCESS")) {
    stale.push(`${scenario}: no check passes`);
  }
  return [...wrong, ...stale];
}

const wrong = [];
const ran = new Set();
for (const [name, suite, options] of RUNS) {
  const results = run(suite, options);
  let passed = 0;
  for (const [scenario, checks] of results) {
    ran.add(scenario);
    if (applies.includes(scenario)) {
      wrong.push(...judge(scenario, checks));
      passed += checks.filter((check) => check.status === "SUCCESS").length;
    } else if (!inapplicable.includes(scenario)) {
      wrong.push(`${scenario} is not in conformance.json`);
    }
  }
  const applied = [...results.keys()].filter((scenario) => applies.includes(scenario));
  console.log(`${name}: ${passed} checks pass in ${applied.length} scenarios that apply: ${applied.sort().join(", ")}`);
}
wrong.push(...applies.filter((scenario) => !ran.has(scenario)).map((scenario) => `${scenario} did not run`));
if (wrong.length > 0) {
  console.error(wrong.join("\n"));
  process.exit(1);
}
