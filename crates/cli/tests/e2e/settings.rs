//! Server, key and scope: flags, variables, profiles and their defaults.

use serde_json::{Value, json};

use crate::program::{World, finish};

/// A setting of `config show`.
fn setting(shown: &Value, name: &str) -> (Value, Value) {
    let settings = shown["settings"].as_array().unwrap();
    let setting = settings.iter().find(|setting| setting["name"] == name).unwrap();
    (setting["value"].clone(), setting["origin"].clone())
}

#[test]
fn config_says_where_each_value_comes_from() {
    let world = World::new();
    std::fs::create_dir_all(world.home().join(".config/octopoid")).unwrap();
    world.write(
        ".config/octopoid/config.toml",
        "profile = 'team'\n[profiles.team]\nserver = 'https://team.example'\n\
         key = 'oct_0123456789abcdef'\nscope = 'team'\nuser = 'carol'\n[profiles.other]\n",
    );
    let shown = world.json("config show --origin -o json --scope here");
    assert_eq!(setting(&shown, "server").1, "variable OCTOPOID_SERVER");
    assert_eq!(setting(&shown, "key"), (json!(null), json!("default")));
    assert_eq!(setting(&shown, "scope"), (json!("here"), json!("flag --scope")));
    assert_eq!(setting(&shown, "user").0, "alice");
    let bare = |line: &str| {
        let mut command = world.command(line);
        command
            .env_remove("OCTOPOID_SERVER")
            .env_remove("OCTOPOID_SCOPE")
            .env_remove("OCTOPOID_USER");
        let ended = finish(&mut command);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    };
    let shown: Value = serde_json::from_str(&bare("config show -o json")).unwrap();
    assert_eq!(setting(&shown, "server").0, "https://team.example");
    assert_eq!(setting(&shown, "key"), (json!("oct_0123…"), json!("profile team")));
    assert_eq!(setting(&shown, "profile"), (json!("team"), json!("configuration file")));
    let shown: Value = serde_json::from_str(&bare("config show -o json --profile other")).unwrap();
    assert_eq!(setting(&shown, "server"), (json!("http://127.0.0.1:8787"), json!("default")));
    let table = bare("config show");
    assert!(table.contains("https://team.example") && !table.contains("ORIGIN"), "{table}");
    assert!(bare("config show --origin").contains("profile team"));
    let error = world.fails(2, "config show --profile none");
    assert!(error.contains("known profiles: other, team"), "{error}");
}

#[test]
fn a_key_or_an_address_that_cannot_be_sent_is_refused() {
    let world = World::new();
    let key = |key: &str| finish(world.command("task list").env("OCTOPOID_KEY", key));
    let ended = key("oct_\u{1}");
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("octopoid config show --origin"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("oct_"), "{}", ended.stderr);
    // It is sent, and unknown.
    assert_eq!(key("oct_unknown\n").code, Some(6));
    world.fails(2, "task list --server http://[");
}

#[test]
fn the_scope_of_a_repository_is_its_name() {
    let world = World::new();
    let repository = world.home().join("parser");
    std::fs::create_dir_all(repository.join(".git")).unwrap();
    world.write("parser/.git/HEAD", "ref: refs/heads/main\n");
    let mut add = world.command("add Work -o json");
    let ended = finish(add.current_dir(&repository).env_remove("OCTOPOID_SCOPE"));
    let task: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(task["scope"], "parser");
}

#[test]
fn files_are_where_xdg_says() {
    let world = World::new();
    let home = world.home().display().to_string();
    let mut command = world.command("config show -o json");
    command.env("XDG_CONFIG_HOME", format!("{home}/c")).env("XDG_STATE_HOME", format!("{home}/s"));
    let shown: Value = serde_json::from_str(&finish(&mut command).stdout).unwrap();
    assert_eq!(setting(&shown, "config_file").0, format!("{home}/c/octopoid/config.toml"));
    assert_eq!(setting(&shown, "state_folder").0, format!("{home}/s/octopoid"));
}
