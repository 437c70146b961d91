//! `cargo xtask edge test`.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use super::wrangler::{self, Server};
use super::{CONFORMANCE, EDGE, PROJECT, TOOLS, build, migrations};
use crate::postgres::Postgres;
use crate::workspace::Workspace;
use crate::{board, output, process, programs};

/// What is tested.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Arguments for the tests, such as a filter. With them, the board is not tested.
    #[arg(last = true)]
    extra: Vec<OsString>,
}

/// The largest Worker that may be uploaded, compressed, in KiB: half of what the free plan takes.
const UPLOAD_KIB_MAX: f64 = 1536.0;

/// The administrator's key of a Worker that lives for one run on the loopback interface.
const ADMIN_SECRET: &str = "edge-test-admin-secret";

/// A dump of the first server's database.
const DUMP: &str = "crates/server/tests/e2e/import/dump.sql";

/// A statement, and the state of the schema that it leads to, in which the Worker must not be sent
/// requests.
const NOT_READY: [(&str, &str); 3] = [
    (
        "newer",
        "INSERT INTO schema_versions (version, applied_at, readable_from) VALUES (1000, 0, 1000)",
    ),
    ("older", "DELETE FROM schema_versions WHERE version <> 3"),
    ("unreleased", "UPDATE schema_versions SET version = 2, readable_from = 2 WHERE version = 3"),
];

/// Builds both Workers, runs them, and lets the tests loose on them.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    migrations::is_up_to_date()?;
    TOOLS.install()?;
    let workspace = Workspace::load()?;
    build::worker(&workspace, EDGE)?;
    build::worker(&workspace, CONFORMANCE)?;
    check_size()?;
    let scratch = workspace.target.join("edge");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).with_context(|| format!("emptying {}", scratch.display()))?;
    }
    check_readiness(&scratch.join("readiness"))?;

    output::heading("running the Workers");
    let state = scratch.join("edge");
    import(&state, &scratch.join("import.sql"))?;
    export()?;
    let conformance = Server::start(CONFORMANCE, &scratch.join("conformance"), &[])?;
    let edge = start_edge(&state)?;
    output::heading("tests");
    let mut tests = process::cargo();
    tests.args(["test", "--workspace", "--test", "workerd", "--"]);
    // One after the other: the cases share a database, and what is measured is not disturbed.
    tests.arg("--test-threads=1").args(&args.extra);
    tests.env("OCTOPOID_EDGE_URL", edge.url());
    tests.env("OCTOPOID_EDGE_CONFORMANCE_URL", conformance.url());
    tests.env("API_SECRET_KEY", ADMIN_SECRET);
    process::run(&mut tests)?;
    if !args.extra.is_empty() {
        return Ok(());
    }
    board::test_on_worker(&edge.url(), ADMIN_SECRET)
}

/// Puts a database of the first server into the Worker's, and migrates it as a deployment does.
fn import(state: &Path, statements: &Path) -> anyhow::Result<()> {
    output::heading("importing the first server's database");
    wrangler::migrate(Some(state))?;
    let mut import = programs::command("octopoid-server")?;
    import.arg("import");
    import.args(["--from-d1-dump", DUMP, "--to", &format!("d1:{}", statements.display())]);
    process::run(&mut import)?;
    wrangler::execute(state, &["--file".as_ref(), statements.as_os_str()])?;
    wrangler::migrate(Some(state))
}

/// Puts an export into a database of wrangler's and gets it out again, in a test of the server.
fn export() -> anyhow::Result<()> {
    output::heading("exporting from D1");
    let postgres = Postgres::provide()?;
    let mut tests = process::cargo();
    tests.args(["test", "--workspace", "--test", "e2e", "--", "export::d1"]);
    tests.env("OCTOPOID_TEST_WRANGLER", TOOLS.program("wrangler").get_program());
    if let Some(postgres) = &postgres {
        postgres.tell(&mut tests);
    }
    process::run(&mut tests)
}

fn start_edge(state: &Path) -> anyhow::Result<Server> {
    // Without a grace, a test need not wait for it. Printing a line takes wrangler longer than the
    // Worker's work that the line is about.
    let vars = [
        ("API_SECRET_KEY", ADMIN_SECRET),
        ("OCTOPOID_LEASE_GRACE", "0s"),
        ("OCTOPOID_LOG", "warn"),
        // The receiver of a test is on this machine.
        ("OCTOPOID_WEBHOOK_ALLOW_PRIVATE", "true"),
    ];
    Server::start(PROJECT, state, &vars)
}

/// A Worker must be ready on the schema that it knows, and on no other.
fn check_readiness(state: &Path) -> anyhow::Result<()> {
    output::heading("readiness");
    expect(state, "missing", 503)?;
    wrangler::migrate(Some(state))?;
    expect(state, "up to date", 200)?;
    for (schema, sql) in NOT_READY {
        wrangler::execute(state, &["--command".as_ref(), sql.as_ref()])?;
        expect(state, schema, 503)?;
    }
    Ok(())
}

fn expect(state: &Path, schema: &str, status: u16) -> anyhow::Result<()> {
    let found = start_edge(state)?.status("/readyz")?;
    ensure!(found == status, "/readyz answers {found} where the schema is {schema}");
    output::line(format_args!("ok: /readyz answers {found} where the schema is {schema}"));
    Ok(())
}

/// Asks wrangler what it would upload.
fn check_size() -> anyhow::Result<()> {
    output::heading("size");
    let mut wrangler = wrangler::command(PROJECT);
    let told = process::read(wrangler.args(["deploy", "--dry-run"]))?;
    let Some(size) = compressed_kib(&told) else { bail!("wrangler told no size:\n{told}") };
    output::line(format_args!("the Worker has {size} KiB, compressed"));
    ensure!(size <= UPLOAD_KIB_MAX, "that is more than {UPLOAD_KIB_MAX} KiB");
    Ok(())
}

/// Reads `Total Upload: 1012.33 KiB / gzip: 294.11 KiB`.
fn compressed_kib(told: &str) -> Option<f64> {
    let (_, after) = told.split_once("gzip: ")?;
    let (size, _) = after.split_once(" KiB")?;
    size.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::compressed_kib;

    #[test]
    fn the_compressed_size_is_read() {
        let told = "Total Upload: 1012.33 KiB / gzip: 294.11 KiB\nYour Worker has access to:\n";
        assert_eq!(compressed_kib(told), Some(294.11));
        assert_eq!(compressed_kib("nothing"), None);
    }
}
