/** What agents hand in, as it looks in real repositories. */

import type { Check } from "./api";

/** A test that no longer depends on the clock: code in TypeScript, an added file, a lock file. */
export const LOGIN_PATCH = `diff --git a/src/login.test.ts b/src/login.test.ts
index 3f9c2ab..9a1d0c4 100644
--- a/src/login.test.ts
+++ b/src/login.test.ts
@@ -1,15 +1,19 @@
 import { expect, test } from "vitest";
-import { login } from "./login";
+import { login, type Clock } from "./login";
+import { stoppedClock } from "./testing/clock";
 
-test("a session ends after an hour", async () => {
-  const session = await login("ada", "secret");
-  await new Promise((resolve) => setTimeout(resolve, 1_000));
-  expect(session.secondsLeft()).toBe(3_599);
+test("a session ends after an hour", async () => {
+  const clock: Clock = stoppedClock("2026-03-02T10:00:00Z");
+  const session = await login("ada", "secret", clock);
+  clock.advance(1_000);
+  expect(session.secondsLeft()).toBe(3_599);
+  clock.advance(3_600_000);
+  expect(session.hasEnded()).toBe(true);
 });
 
 test("a wrong password is refused", async () => {
   await expect(login("ada", "guess")).rejects.toThrow("password");
 });
 
-// <script>alert("a diff is text")</script>
+// <img src=x onerror="alert('a diff is text')">
 export {};
diff --git a/src/testing/clock.ts b/src/testing/clock.ts
new file mode 100644
index 0000000..5d2f1b7
--- /dev/null
+++ b/src/testing/clock.ts
@@ -0,0 +1,11 @@
+import type { Clock } from "../login";
+
+/** A clock that stands still until it is moved. */
+export function stoppedClock(start: string): Clock {
+  let now = Date.parse(start);
+  return {
+    now: () => now,
+    advance: (milliseconds: number) => {
+      now += milliseconds;
+    },
+  };
+}
diff --git a/package-lock.json b/package-lock.json
index 1c8e0aa..77f10e2 100644
--- a/package-lock.json
+++ b/package-lock.json
@@ -2,6 +2,6 @@
   "name": "my-repo",
-  "version": "0.3.0",
+  "version": "0.3.1",
   "lockfileVersion": 3,
   "requires": true,
   "packages": {
     "": {
`;

/** A change of words in Markdown, which touches one line of many. */
export const CHANGELOG_PATCH = `diff --git a/CHANGELOG.md b/CHANGELOG.md
index 88aa1b2..90cc3d4 100644
--- a/CHANGELOG.md
+++ b/CHANGELOG.md
@@ -8,6 +8,9 @@ All user-visible changes.
 
 ### Fixed
 
+* Sessions end after exactly one hour, whatever the time zone.
+* The importer no longer reads a file twice.
+
 * A wrong password is refused with a text that says so.
 
 ## [0.3.0]
`;

/** A function of Rust that was renamed where it is defined and where it is called. */
export const RENAME_PATCH = `diff --git a/crates/parser/src/lib.rs b/crates/parser/src/lib.rs
index 4c1a7f0..b0e5d92 100644
--- a/crates/parser/src/lib.rs
+++ b/crates/parser/src/lib.rs
@@ -12,9 +12,9 @@ pub mod tokens;
 /// Reads a document.
 ///
 /// It fails at the first character that no rule takes.
-pub fn parse_document(text: &str) -> Result<Document, Error> {
-    let tokens = tokens::scan(text)?;
-    Document::from_tokens(&tokens)
+pub fn parse(text: &str) -> Result<Document, Error> {
+    let tokens = tokens::scan(text).map_err(Error::at_start)?;
+    Document::from_tokens(&tokens)
 }
 
 #[cfg(test)]
@@ -24,5 +24,5 @@ mod tests {
     #[test]
     fn an_empty_text_is_an_empty_document() {
-        assert_eq!(parse_document("").unwrap().blocks.len(), 0);
+        assert_eq!(parse("").unwrap().blocks.len(), 0);
     }
 }
`;

/** Checks that passed. */
export const PASSED: Check[] = [
  { name: "tests", command: "npm test", exit_code: 0, seconds: 41.2, tail: "42 passed (3.1 s)\n" },
  { name: "types", command: "npm run typecheck", exit_code: 0, seconds: 6.8, tail: "" },
];

/** The same checks, of which one did not pass. */
export const ONE_FAILED: Check[] = [
  {
    name: "tests",
    command: "npm test",
    exit_code: 1,
    seconds: 39.7,
    tail: "FAIL src/import.test.ts > reads a file once\nAssertionError: expected 2 to be 1\n",
  },
  ...PASSED.slice(1),
];

/** The log of a run at work: plain lines, colours, an error, and markup that is text. */
export const RUNNING_LOG = [
  "reading the task",
  "$ cargo test -p parser",
  "\u001b[32m   Compiling\u001b[0m parser v0.3.0",
  "\u001b[31merror[E0433]\u001b[0m: cannot find `winnow` in the list of imported crates",
  " --> crates/parser/src/tokens.rs:3:5",
  "adding winnow to Cargo.toml",
  "$ cargo test -p parser",
  "test tokens::a_string_may_be_empty ... ok",
  "<b>not bold</b> <script>alert(1)</script>",
  "running tests",
  "",
].join("\n");
