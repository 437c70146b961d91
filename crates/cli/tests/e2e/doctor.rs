//! `octopoid doctor` and `octopoid check-config`.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::program::{World, finish};

/// The state of what `doctor` found, as JSON.
fn state<'a>(findings: &'a Value, name: &str) -> &'a str {
    let found = findings["findings"].as_array().unwrap().iter();
    let finding = found.clone().find(|finding| finding["name"] == name);
    finding.unwrap_or_else(|| panic!("no {name} in {findings}"))["state"].as_str().unwrap()
}

#[test]
fn the_doctor_finds_database_disk_and_server_in_order() {
    let world = World::new();
    assert_eq!(world.run("migrate").code, Some(0));
    let line = "doctor --deep -o json";
    let findings = world.json(line);
    for name in ["configuration", "database", "integrity", "file modes", "server", "version"] {
        assert_eq!(state(&findings, name), "ok", "{name}");
    }
    assert_eq!(state(&findings, "server clock"), "ok");
    let told = world.ok("doctor");
    assert!(told.contains("ok       database        octopoid.db has schema version "), "{told}");
    assert!(told.lines().all(|line| line.starts_with("ok ") || line.starts_with("warning ")));
}

#[test]
fn a_problem_is_told_with_its_remedy_and_is_a_failure() {
    let world = World::alone();
    // Port 1 of this machine has no server, which is a warning.
    let server = "--server http://127.0.0.1:1";
    let ended = world.run(&format!("doctor --database sqlite:none/a.db {server}"));
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stderr.contains("there is a problem"), "{}", ended.stderr);
    let problems: Vec<_> =
        ended.stdout.lines().filter(|line| line.starts_with("problem ")).collect();
    assert_eq!(problems.len(), 1, "{}", ended.stdout);
    assert!(problems[0].contains("none does not exist (create it"), "{}", ended.stdout);
    assert!(ended.stdout.contains("warning  server"), "{}", ended.stdout);
    assert!(ended.stdout.contains("octopoid serve"), "{}", ended.stdout);

    let ended = world.run(&format!("doctor --listen 0.0.0.0:1 --lease-grace 1s {server} -o json"));
    assert_eq!(ended.code, Some(1));
    let findings: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(state(&findings, "configuration"), "problem");
    assert_eq!(state(&findings, "database"), "ok");
    assert_eq!(state(&findings, "server"), "warning");
    assert_eq!(fs::read_dir(world.home()).unwrap().count(), 0, "nothing is created");
}

#[test]
fn what_answers_and_is_no_server_of_ours_is_a_problem() {
    let world = World::new();
    let elsewhere = format!("doctor --server {}/docs -o json", world.url());
    let ended = world.run(&elsewhere);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let findings: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(state(&findings, "server"), "problem");
}

/// The variables of this project that the source of a crate names in full.
fn variables(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            variables(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
            let is_tests = path.ends_with("tests.rs");
            let names = code.split('"').filter(|part| {
                let is_name = |letter: char| letter.is_ascii_uppercase() || letter == '_';
                part.len() > "OCTOPOID_".len()
                    && part.starts_with("OCTOPOID_")
                    && part.chars().all(is_name)
            });
            found.extend(names.filter(|_| !is_tests).map(str::to_owned));
        }
    }
}

#[test]
fn every_variable_of_the_program_is_known_and_a_misspelled_one_is_not() {
    let world = World::alone();
    let mut named = BTreeSet::new();
    for source in ["src", "../runner/src", "../server/src"] {
        variables(&Path::new(env!("CARGO_MANIFEST_DIR")).join(source), &mut named);
    }
    assert!(named.contains("OCTOPOID_KEY") && named.contains("OCTOPOID_TASK_ID"), "{named:?}");
    let line = "check-config";
    let mut command = world.command(line);
    // No value suits all options of the server. They are known, because each names its variable.
    let page = world.ok("man --markdown");
    let page: Vec<_> = page.split_whitespace().collect();
    let is_option = |name: &&String| page.contains(&&*format!("{name}]"));
    command.envs(named.iter().filter(|name| !is_option(name)).map(|name| (name, "x")));
    let told = finish(&mut command).ok(line);
    assert!(!told.contains("is unknown"), "{told}");
    let told = finish(world.command(line).env("OCTOPOID_SEVER", "x")).ok(line);
    assert!(told.contains("OCTOPOID_SEVER is unknown and ignored: did you mean OCTOPOID_SERVER?"));
}
