//! Completions, pages for man, and docs/cli.md, whose options all have a test.

use std::{collections::BTreeSet, fs, path::Path};

use crate::program::World;

/// Options that tests use with any command.
const SHARED: [&str; 8] = [
    "--server",
    "--key-file",
    "--scope",
    "--profile",
    "--output",
    "--json",
    "--quiet",
    "--no-color",
];

/// Commands whose options are tested with the server itself.
const SERVER: [&str; 8] =
    ["serve", "migrate", "check-config", "copy", "export", "import", "openapi", "version"];

fn page() -> String {
    World::alone().ok("man --markdown")
}

#[test]
fn the_page_in_docs_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let written = fs::read_to_string(file).unwrap();
    assert!(written == page(), "docs/cli.md is stale: run `cargo xtask cli`");
}

#[test]
fn completions_and_pages_are_written() {
    let world = World::alone();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let completions = world.ok(&format!("completions {shell}"));
        assert!(completions.contains("octopoid"), "{shell}");
    }
    assert_eq!(world.run("completions sh").code, Some(2));
    assert_eq!(world.ok("man pages"), "man -M pages octopoid\n");
    let page = fs::read_to_string(world.home().join("pages/man1/octopoid-task-claim.1")).unwrap();
    assert!(page.contains("most urgent task"), "{page}");
    world.fails(2, "man");
}

/// Each command of the page, with the options that it has for itself.
fn documented() -> Vec<(String, BTreeSet<String>)> {
    let page = page();
    let sections = page.split("\n## octopoid ").skip(1).map(|section| {
        let (heading, body) = section.split_once('\n').unwrap();
        let words =
            heading.split(' ').take_while(|word| word.starts_with(|c: char| c.is_lowercase()));
        let options = body.lines().filter_map(|line| {
            let line = line.strip_prefix("* `")?;
            let (_, option) = line.split_once("--").filter(|(before, _)| before.len() <= 4)?;
            let end = option.find(|c: char| !c.is_ascii_lowercase() && c != '-')?;
            Some(format!("--{}", &option[..end]))
        });
        (words.collect::<Vec<_>>().join(" "), options.collect())
    });
    sections.collect()
}

#[test]
fn every_command_and_option_of_the_page_is_used_by_a_test() {
    let read = |names: &[&str]| -> String {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let files = names.iter().flat_map(|name| fs::read_dir(tests.join(name)).unwrap());
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    };
    // There, options stand without the command that all tests run.
    let of_agents = read(&["agents", "agents_git"]);
    let sources = format!("{}\n\"{of_agents}", read(&["e2e"]));
    // A string may be continued on the next line.
    let lines: Vec<_> = sources.split('"').collect();
    let mut missing = Vec::new();
    let documented = documented();
    let of_runs = documented.iter().find(|(command, _)| command == "agent run");
    let of_runs = of_runs.map(|(_, options)| options.clone()).unwrap_or_default();
    let of_server = documented.iter().find(|(command, _)| command == "serve");
    let of_server = of_server.map(|(_, options)| options.clone()).unwrap_or_default();
    for (command, options) in documented {
        if SERVER.contains(&&*command) {
            continue;
        }
        let is_command = |line: &&&str| {
            (command == "agent run" && of_agents.contains(**line))
                || line
                    .strip_prefix(&*command)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let used: Vec<_> = lines.iter().filter(is_command).collect();
        if used.is_empty() {
            missing.push(command.clone());
        }
        for option in options {
            let has = |line: &&&&str| line.split_whitespace().any(|word| word == option);
            // `add` and `task create` are the same, and so are options of several commands for runs
            // and for the server.
            let is_shared = command == "task create"
                || (command == "doctor" && of_server.contains(&option))
                || (matches!(&*command, "up" | "agent doctor")
                    && of_runs.iter().any(|of_runs| *of_runs == option));
            if !is_shared && used.iter().filter(has).count() == 0 {
                missing.push(format!("{command} {option}"));
            }
        }
    }
    for option in SHARED {
        if !sources.contains(option) {
            missing.push(option.to_owned());
        }
    }
    assert!(missing.is_empty(), "no test uses {missing:#?}");
}
