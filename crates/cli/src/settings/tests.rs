use std::{fs, path::Path};

use super::{File, Origin, ServerFlags, Setting, Settings};
use crate::{failure::Outcome, repository::Repository, up::Running};

const FILE: &str = r#"
    profile = "team"
    [profiles.team]
    server = "https://team.example"
    key = "oct_team"
    scope = "team"
    user = "alice"
    [profiles.open]
    server = "http://open.example"
"#;

/// Resolves with these flags and variables, in a repository named `here`.
fn resolve(flags: &ServerFlags, variables: &[(&str, &str)], file: &str) -> Outcome<Settings> {
    resolve_beside(None, flags, variables, file)
}

/// The same, while `octopoid up` runs for that repository, or does not.
fn resolve_beside(
    up: Option<Running>,
    flags: &ServerFlags,
    variables: &[(&str, &str)],
    file: &str,
) -> Outcome<Settings> {
    let file: File = toml::from_str(file).unwrap();
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let here = Repository {
        name: "here".to_owned(),
        branch: "main".to_owned(),
        root: "/absent/here".into(),
        commit: None,
    };
    Settings::resolve(flags, &variable, &file, Path::new("/absent"), Some(here), |_| Ok(up))
}

fn setting(value: &str, origin: Origin) -> Setting {
    Setting { value: value.to_owned(), origin }
}

#[test]
fn without_anything_the_server_is_this_machine_and_the_scope_the_repository() {
    let settings = resolve(&ServerFlags::default(), &[("USER", "bob")], "").unwrap();
    assert_eq!(settings.server, setting("http://127.0.0.1:8787", Origin::Default));
    assert_eq!(settings.scope, Some(setting("here", Origin::Repository)));
    assert_eq!(settings.user, setting("bob", Origin::Default));
    assert_eq!((settings.key, settings.profile), (None, None));
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_profile() {
    let team = || Origin::Profile("team".to_owned());
    let settings = resolve(&ServerFlags::default(), &[], FILE).unwrap();
    assert_eq!(settings.server, setting("https://team.example", team()));
    assert_eq!(settings.key, Some(setting("oct_team", team())));
    assert_eq!(settings.scope, Some(setting("team", team())));
    assert_eq!(settings.user, setting("alice", team()));

    let variables = [
        ("OCTOPOID_SERVER", "http://variable.example"),
        ("OCTOPOID_KEY", "oct_variable"),
        ("OCTOPOID_SCOPE", "variable"),
        ("OCTOPOID_USER", "carol"),
        ("USER", "bob"),
    ];
    let settings = resolve(&ServerFlags::default(), &variables, FILE).unwrap();
    let of = |name| Origin::Variable(name);
    assert_eq!(settings.server, setting("http://variable.example", of("OCTOPOID_SERVER")));
    assert_eq!(settings.key, Some(setting("oct_variable", of("OCTOPOID_KEY"))));
    assert_eq!(settings.scope, Some(setting("variable", of("OCTOPOID_SCOPE"))));
    assert_eq!(settings.user, setting("carol", of("OCTOPOID_USER")));

    let flags = ServerFlags {
        server: Some("http://flag.example".to_owned()),
        scope: Some("flag".to_owned()),
        ..ServerFlags::default()
    };
    let settings = resolve(&flags, &variables, FILE).unwrap();
    assert_eq!(settings.server, setting("http://flag.example", Origin::Flag("--server")));
    assert_eq!(settings.scope, Some(setting("flag", Origin::Flag("--scope"))));
}

#[test]
fn a_profile_is_named_by_flag_variable_or_file_and_a_key_brings_its_scope() {
    let named = ServerFlags { profile: Some("team".to_owned()), ..ServerFlags::default() };
    let variables = [("OCTOPOID_PROFILE", "open")];
    let profile = |value, origin| Some(setting(value, origin));
    let settings = resolve(&named, &variables, FILE).unwrap();
    assert_eq!(settings.profile, profile("team", Origin::Flag("--profile")));
    let settings = resolve(&ServerFlags::default(), &[], FILE).unwrap();
    assert_eq!(settings.profile, profile("team", Origin::File));
    let settings = resolve(&ServerFlags::default(), &variables, FILE).unwrap();
    assert_eq!(settings.profile, profile("open", Origin::Variable("OCTOPOID_PROFILE")));
    assert_eq!(settings.scope, Some(setting("here", Origin::Repository)));
    let key = [("OCTOPOID_PROFILE", "open"), ("OCTOPOID_KEY", "oct_1")];
    assert_eq!(resolve(&ServerFlags::default(), &key, FILE).unwrap().scope, None);

    let unknown = ServerFlags { profile: Some("other".to_owned()), ..ServerFlags::default() };
    let failure = resolve(&unknown, &[], FILE).unwrap_err();
    assert_eq!(failure.text, "there is no profile other");
    assert_eq!(failure.remedies, ["known profiles: open, team"]);
}

#[test]
fn a_key_may_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "oct_file\n").unwrap();
    let flags = ServerFlags { key_file: Some(path.clone()), ..ServerFlags::default() };
    let settings = resolve(&flags, &[("OCTOPOID_KEY", "oct_variable")], FILE).unwrap();
    assert_eq!(settings.key, Some(setting("oct_file", Origin::Flag("--key-file"))));

    let named = path.display().to_string();
    let variables = [("OCTOPOID_KEY_FILE", &*named)];
    let settings = resolve(&ServerFlags::default(), &variables, FILE).unwrap();
    let of_file = setting("oct_file", Origin::Variable("OCTOPOID_KEY_FILE"));
    assert_eq!(settings.key, Some(of_file));
    let variables = [variables[0], ("OCTOPOID_KEY", "oct_variable")];
    let settings = resolve(&ServerFlags::default(), &variables, FILE).unwrap();
    assert_eq!(settings.key, Some(setting("oct_variable", Origin::Variable("OCTOPOID_KEY"))));

    let file = format!("profile = \"a\"\n[profiles.a]\nkey_file = {path:?}");
    let settings = resolve(&ServerFlags::default(), &[], &file).unwrap();
    assert_eq!(settings.key, Some(setting("oct_file", Origin::Profile("a".to_owned()))));
    fs::remove_file(&path).unwrap();
    let failure = resolve(&ServerFlags::default(), &[], &file).unwrap_err();
    assert!(failure.text.starts_with("cannot read the key in "), "{}", failure.text);
}

#[test]
fn a_server_is_not_shown_the_key_of_another_ones_profile() {
    let other = [("OCTOPOID_SERVER", "http://other.example")];
    assert_eq!(resolve(&ServerFlags::default(), &other, FILE).unwrap().key, None);
    let same = [("OCTOPOID_SERVER", "https://team.example/")];
    assert!(resolve(&ServerFlags::default(), &same, FILE).unwrap().key.is_some());
    // A profile without a server is one of the server on this machine.
    let local = "profile = \"a\"\n[profiles.a]\nkey = \"oct_1\"";
    assert_eq!(resolve(&ServerFlags::default(), &other, local).unwrap().key, None);
    let here = [("OCTOPOID_SERVER", "http://127.0.0.1:8787")];
    for variables in [&here[..], &[]] {
        assert!(resolve(&ServerFlags::default(), variables, local).unwrap().key.is_some());
    }
}

#[test]
fn what_is_no_address_is_refused_with_its_origin() {
    let failure =
        resolve(&ServerFlags::default(), &[("OCTOPOID_SERVER", "localhost")], "").unwrap_err();
    assert_eq!(failure.text, "the server \"localhost\" is no address");
    assert_eq!(failure.remedies[0], "it comes from: variable OCTOPOID_SERVER");
}

#[test]
fn a_file_that_makes_no_sense_is_refused_without_showing_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    assert_eq!(File::read(&path).unwrap(), File::default());
    for (line, text) in [
        (3, "[profiles.a]\nserver = \"x\"\nkye = \"oct_secret\"\n"),
        (2, "[profiles]\nkey = \"oct_secret\"\n"),
        (2, "[profiles.a]\nkey = oct_secret\n"),
        (2, "[profiles.a]\noct_secret = 1\n"),
    ] {
        fs::write(&path, text).unwrap();
        let failure = File::read(&path).unwrap_err();
        let expected = format!("{}, line {line} makes no sense there", path.display());
        assert_eq!(failure.text, expected);
        assert!(!failure.lines().contains("secret"), "{}", failure.lines());
    }
}

fn running() -> Running {
    let text = |text: &str| text.to_owned();
    let (server, key) = (text("http://127.0.0.1:8788"), text("oct_up"));
    Running { server, key, scope: text("here-1"), flow: text("octopoid") }
}

#[test]
fn octopoid_up_counts_where_nothing_else_is_named() {
    let flags = ServerFlags::default();
    let of = |value| setting(value, Origin::Up);
    let settings = resolve_beside(Some(running()), &flags, &[], "").unwrap();
    assert_eq!(settings.server, of("http://127.0.0.1:8788"));
    assert_eq!(settings.key, Some(of("oct_up")));
    assert_eq!(settings.scope, Some(of("here-1")));
    assert_eq!(settings.flow, Some(of("octopoid")));
    assert_eq!(Origin::Up.words(), "octopoid up of this repository");

    // A profile that names no server, and the server and the scope themselves, change nothing.
    let file = "profile = \"a\"\n[profiles.a]\nuser = \"alice\"";
    let same = [("OCTOPOID_SERVER", "http://127.0.0.1:8788/"), ("OCTOPOID_SCOPE", "here-1")];
    let settings = resolve_beside(Some(running()), &flags, &same, file).unwrap();
    let named = Origin::Variable("OCTOPOID_SERVER");
    assert_eq!(settings.server, setting("http://127.0.0.1:8788", named));
    assert_eq!((settings.key, settings.flow), (Some(of("oct_up")), Some(of("octopoid"))));
}

#[test]
fn octopoid_up_counts_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "oct_file").unwrap();
    let none = ServerFlags::default;
    let server = ServerFlags { server: Some("http://a.example".to_owned()), ..none() };
    let scope = ServerFlags { scope: Some("other".to_owned()), ..none() };
    let key = ServerFlags { key_file: Some(path), ..none() };
    for (flags, variables, file) in [
        (server, &[][..], ""),
        (scope, &[], ""),
        (key, &[], ""),
        (none(), &[("OCTOPOID_SERVER", "http://a.example")], ""),
        (none(), &[("OCTOPOID_KEY", "oct_run")], ""),
        (none(), &[("OCTOPOID_SCOPE", "other")], ""),
        (none(), &[], FILE),
        (none(), &[("OCTOPOID_PROFILE", "open")], FILE),
    ] {
        let settings = resolve_beside(Some(running()), &flags, variables, file).unwrap();
        assert_eq!(settings, resolve(&flags, variables, file).unwrap(), "{flags:?} {variables:?}");
    }
}
