//! The commands of the server. What they do is tested where they are: in `octopoid-server`.

use octopoid_testbed::Server;

use crate::program::{World, finish};

#[test]
fn it_serves_and_migrates_a_database_in_the_working_directory() {
    let world = World::alone();
    let ended = world.run("migrate");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("sqlite:octopoid.db migrated from 0 to "), "{}", ended.stdout);
    assert!(world.home().join("octopoid.db").exists());

    let mut serve = world.command("serve --listen 127.0.0.1:0");
    let _server = Server::start(&mut serve, std::io::sink()).unwrap();
    let ended = world.run("migrate");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("is in use by another server"), "{}", ended.stderr);
}

#[test]
fn a_database_is_copied_and_none_imported_over_it() {
    let world = World::alone();
    assert_eq!(world.run("migrate").code, Some(0));
    let copy = "copy --from sqlite:octopoid.db --to sqlite:copy.db";
    let ended = world.run(copy);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    std::fs::write(world.home().join("dump.sql"), "").unwrap();
    let ended = world.run("import --from-d1-dump dump.sql --to sqlite:copy.db");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
}

#[test]
fn a_database_is_exported_and_imported_again() {
    let world = World::alone();
    assert_eq!(world.run("migrate").code, Some(0));
    let exported = world.run("export");
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    assert_eq!(world.run("export --to out.ndjson").code, Some(0));
    let ended = world.run("import --format ndjson out.ndjson --to sqlite:copy.db");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(world.run("export --database sqlite:copy.db").stdout, exported.stdout);
}

#[test]
fn it_prints_the_version_and_the_document() {
    let world = World::alone();
    let version = world.run("version");
    assert!(version.stdout.starts_with("octopoid "), "{}", version.stdout);
    assert!(version.stdout.contains("(wire contract "), "{}", version.stdout);
    let document = world.run("openapi");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
    assert_eq!(document.stdout, std::fs::read_to_string(file).unwrap());
}

#[test]
fn flags_of_the_server_belong_to_its_commands() {
    let world = World::alone();
    let ended = world.run("openapi --listen 127.0.0.1:0");
    assert_eq!(ended.code, Some(2));
    let ended = world.run("serve --database postgres://a:secret@h:port/d");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--database"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
}

#[test]
fn the_administrator_shows_and_changes_what_the_server_logs() {
    let world = World::serving(|serve| {
        serve.env("API_SECRET_KEY", "an-administrators-token");
    });
    let by_administrator =
        |line: &str| finish(world.command(line).env("OCTOPOID_KEY", "an-administrators-token"));
    assert_eq!(by_administrator("log-level").ok("log-level"), "info\n");
    let told = by_administrator("log-level warn,octopoid::audit=info").ok("log-level");
    let expected = "the server logs octopoid::audit=info,warn until it restarts (before: info)\n";
    assert_eq!(told, expected);
    let shown = by_administrator("log-level -o json").json("log-level");
    assert_eq!(shown["filter"], "octopoid::audit=info,warn");
    let refused = by_administrator("log-level loud");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("\"loud\", which is not a level"), "{}", refused.stderr);
    let error = world.fails(6, "log-level debug");
    assert!(error.contains("API_SECRET_KEY"), "{error}");
}
