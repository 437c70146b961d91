//! The commands of the server. What they do is tested where they are: in `octopoid-server`.

use octopoid_testbed::Server;

use crate::program::World;

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
