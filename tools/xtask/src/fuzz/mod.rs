//! `cargo xtask fuzz`: random requests, made from the server's own description of its API.

mod server;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum as _;

use crate::postgres::Scratch;
use crate::workspace::Workspace;
use crate::{output, process, programs, venv};
use server::Server;

/// Sends random requests to a fresh server and fails if one is answered with a server error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the server runs, one place after the other: `--on sqlite,postgres,worker`.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite")]
    on: Vec<Home>,
    /// How many requests to send at least.
    #[arg(long, default_value_t = Args::REQUESTS)]
    requests: usize,
    /// Where the random choices start. The same seed makes the same choices again.
    #[arg(long, default_value_t = Args::SEED)]
    seed: u64,
    /// A server that is built already. By default one is built, unoptimised and with its checks.
    #[arg(long)]
    server: Option<PathBuf>,
}

impl Args {
    const REQUESTS: usize = 10_000;

    // A constant, because a change should not be refused for what another one did.
    const SEED: u64 = 1;

    /// Every home, with so many requests each.
    pub(crate) fn everywhere(requests: usize) -> Self {
        Self { on: Home::value_variants().to_vec(), requests, seed: Self::SEED, server: None }
    }
}

/// What `--on` chooses: SQLite, PostgreSQL or the Worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Home {
    /// The binary on a file.
    Sqlite,
    /// The binary on a PostgreSQL of its own.
    Postgres,
    /// The Worker on D1, in the local runtime.
    Worker,
}

impl Home {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Worker => "worker",
        }
    }
}

/// Schemathesis decides itself how many requests an operation needs, so the number is reached by
/// running it again with another seed. More rounds than this mean that it cannot be reached.
const ROUNDS_MAX: u64 = 5;

/// How many server errors are shown; the file has them all.
const SHOWN_MAX: usize = 20;

/// A pinned version: a new one may find what an old one did not.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Records the answers; see the file.
const RECORD: &str = include_str!("record.py");

/// Prepares everything, lets Schemathesis run until enough requests are sent, and judges.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    let programs =
        venv::provide(&workspace.target.join("fuzz-venv"), &[SCHEMATHESIS], SCHEMATHESIS)?;
    let program = programs.join("schemathesis");
    for home in &args.on {
        run_on(*home, args, &program, &workspace)?;
    }
    Ok(())
}

fn run_on(home: Home, args: &Args, program: &Path, workspace: &Workspace) -> anyhow::Result<()> {
    let scratch = fresh_directory(&workspace.target)?;
    output::heading(format_args!("fuzz: starting the server on {}", home.name()));
    let binary = || args.server.clone().map_or_else(build, Ok);
    let mut server = match home {
        Home::Sqlite => Server::on_file(&binary()?, &scratch)?,
        Home::Postgres => match Scratch::provide("the fuzzing of PostgreSQL")? {
            Some(postgres) => Server::on_postgres(&binary()?, &scratch, postgres)?,
            None => return Ok(()),
        },
        Home::Worker => Server::of_worker(workspace, &scratch)?,
    };
    let result = send(args, program, &server, &scratch);
    // A server that died answers nothing, which is not an error that Schemathesis would count.
    if let Some(status) = server.ended()? {
        bail!("the server ended ({status}); its log is {}", server.log().display());
    }
    let sent = result.with_context(|| {
        format!("fuzzing failed; the server's log is {}", server.log().display())
    })?;
    output::line(format_args!("fuzz: {sent} requests on {}, no server error", home.name()));
    Ok(())
}

fn build() -> anyhow::Result<PathBuf> {
    output::heading("fuzz: building the server");
    Ok(programs::build(&["octopoid-server"])?.join("octopoid-server"))
}

/// An empty directory for the database, the server's log and the recorded answers. It is emptied
/// before a run and not after it, so that a failure can be looked into.
fn fresh_directory(target: &Path) -> anyhow::Result<PathBuf> {
    let path = target.join("fuzz");
    if path.exists() {
        fs::remove_dir_all(&path).with_context(|| format!("emptying {}", path.display()))?;
    }
    fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
    Ok(path)
}

/// Runs round after round and returns how many requests were sent in all.
fn send(args: &Args, program: &Path, server: &Server, scratch: &Path) -> anyhow::Result<usize> {
    let hooks = scratch.join("record.py");
    fs::write(&hooks, RECORD).context("writing the hooks")?;
    let answers = scratch.join("answers");
    let operations = server.operation_count()?;
    let mut sent = 0;
    let mut has_failed = false;
    for round in 0..ROUNDS_MAX {
        output::heading(format_args!("fuzz: {operations} operations, {sent} requests sent"));
        let examples = args.requests.saturating_sub(sent).div_ceil(operations).max(1);
        let verdict = process::run(
            process::at_root(program)
                .args(["run", "--checks=not_a_server_error", "--continue-on-failure"])
                // Requests that meet in the server find more than requests in a row.
                .args(["--workers=4", "--no-shrink", "--no-color", "--warnings=off"])
                .args(["--request-timeout=30", "--generation-database=none"])
                .args(["--suppress-health-check=all"])
                .arg(format!("--max-examples={examples}"))
                .arg(format!("--seed={}", args.seed.wrapping_add(round)))
                .arg(server.url("/openapi.json"))
                .current_dir(scratch)
                .env("SCHEMATHESIS_HOOKS", &hooks)
                .env("OCTOPOID_FUZZ_ANSWERS", &answers)
                .env("OCTOPOID_FUZZ_ADMIN_SECRET", server::ADMIN_SECRET),
        );
        let recorded = fs::read_to_string(&answers).unwrap_or_default();
        sent = judge(&recorded, &answers)?;
        match verdict {
            Ok(()) if sent >= args.requests => return Ok(sent),
            Ok(()) => {}
            // Its workers share caches that are not made for several threads, and at times one of
            // them fails by that. What the server does wrong, it does again.
            Err(error) if !has_failed => {
                has_failed = true;
                output::line(format_args!("fuzz: {error}, without a server error; once more"));
            }
            Err(error) => return Err(error),
        }
    }
    bail!("only {sent} of {} requests were sent", args.requests)
}

/// Counts the recorded answers. It fails if one of them is a server error.
fn judge(recorded: &str, path: &Path) -> anyhow::Result<usize> {
    let errors = recorded.lines().filter(|line| line.starts_with('5'));
    let count = errors.clone().count();
    // The same operation often fails in the same way many times.
    let distinct: BTreeSet<&str> = errors.collect();
    let shown = distinct.into_iter().take(SHOWN_MAX).collect::<Vec<_>>().join("\n  ");
    ensure!(
        count == 0,
        "{count} answers were server errors, all in {}:\n  {shown}",
        path.display()
    );
    Ok(recorded.lines().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_and_a_server_error_is_refused() {
        assert_eq!(judge("200 GET /a\n404 GET /500\n", Path::new("answers")).unwrap(), 2);
        let error = judge("200 GET /a\n503 GET /b\n", Path::new("answers")).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("1 answers were server errors, all in answers:\n  503 GET /b"),
            "{error}"
        );
    }
}
