use super::{Cli, Secret, duration, log_buffer, period};
use clap::Parser;
use octopoid_api::AuthMode;

fn auth(arguments: &[&str]) -> Result<AuthMode, String> {
    let arguments = ["octopoid-server"].iter().chain(arguments);
    let plan = Cli::try_parse_from(arguments).unwrap().options.plan();
    plan.map(|plan| plan.settings.auth).map_err(|error| error.to_string())
}

#[test]
fn an_open_server_on_a_public_address_must_be_asked_for_by_name() {
    assert_eq!(auth(&[]), Ok(AuthMode::Open));
    assert_eq!(auth(&["--auth", "required"]), Ok(AuthMode::Required));
    assert_eq!(auth(&["--listen", "[::1]:1"]), Ok(AuthMode::Open));
    assert!(auth(&["--listen", "0.0.0.0:1"]).unwrap_err().contains("--auth required"));
    assert_eq!(auth(&["--listen", "0.0.0.0:1", "--auth", "open"]), Ok(AuthMode::Open));
    assert_eq!(
        auth(&["serve", "--listen", "0.0.0.0:1", "--auth", "required"]),
        Ok(AuthMode::Required)
    );
}

#[test]
fn rates_are_limited_except_on_loopback_addresses() {
    let rates = |arguments: &[&str]| {
        let arguments = ["octopoid-server"].iter().chain(arguments);
        let plan = Cli::try_parse_from(arguments).unwrap().options.plan().unwrap();
        (plan.settings.key_rate_max, plan.settings.address_rate_max)
    };
    assert_eq!(rates(&[]), (None, None));
    let public = ["--listen", "0.0.0.0:1", "--auth", "required"];
    assert_eq!(rates(&public), (Some(12_000), Some(600)));
    let off = ["--rate-limit-key", "0", "--rate-limit-address", "9"];
    assert_eq!(rates(&[&public[..], &off].concat()), (None, Some(9)));
    assert_eq!(rates(&["--rate-limit-key", "7"]), (Some(7), None));
}

#[test]
fn the_administrators_token_is_not_shown() {
    let mut cli = Cli::try_parse_from(["octopoid-server"]).unwrap();
    cli.options.admin_key = Ok(Some(Secret("hidden-token".to_owned())));
    assert!(!format!("{cli:?}").contains("hidden-token"));
    assert!(cli.options.plan().unwrap().settings.admin_key_hash.is_some());
}

fn hosts(arguments: &[&str]) -> Result<Option<usize>, String> {
    let arguments = ["octopoid-server"].iter().chain(arguments);
    let plan = Cli::try_parse_from(arguments).unwrap().options.plan();
    let plan = plan.map_err(|error| format!("{error:#}"))?;
    Ok(plan.settings.allowed_hosts.map(|hosts| hosts.len()))
}

#[test]
fn an_open_server_on_loopback_is_called_by_names_of_this_machine_and_those_allowed() {
    assert_eq!(hosts(&[]), Ok(Some(0)));
    assert_eq!(hosts(&["--listen", "[::1]:1", "--allowed-host", ""]), Ok(Some(0)));
    let three = ["--allowed-host", "a.example, b:1", "--allowed-host", "c"];
    assert_eq!(hosts(&three), Ok(Some(3)));
    assert_eq!(hosts(&["--auth", "required"]), Ok(None));
    let open = ["--listen", "0.0.0.0:1", "--auth", "open"];
    assert_eq!(hosts(&open), Ok(None));
    assert_eq!(hosts(&[&open[..], &["--allowed-host", "a"]].concat()), Ok(Some(1)));
    let error = hosts(&["--allowed-host", "http://a"]).unwrap_err();
    assert!(error.contains("--allowed-host \"http://a\""), "{error}");
}

#[test]
fn an_origin_that_is_empty_is_none() {
    let list = " https://a.example,,https://b.example";
    let arguments = ["octopoid-server", "--cors-origin", list];
    let plan = Cli::try_parse_from(arguments).unwrap().options.plan().unwrap();
    let expected = ["https://a.example", "https://b.example"].map(|text| text.parse().unwrap());
    assert_eq!(plan.settings.cors_origins, expected);
    let plan = Cli::try_parse_from(["octopoid-server", "--cors-origin", ""]).unwrap();
    assert!(plan.options.plan().unwrap().settings.cors_origins.is_empty());
}

#[test]
fn what_is_no_origin_is_refused_with_what_to_write() {
    for text in ["*", "board.example", "https://board.example/"] {
        let cli = Cli::try_parse_from(["octopoid-server", "--cors-origin", text]).unwrap();
        let error = format!("{:#}", cli.options.plan().unwrap_err());
        assert!(error.contains(&format!("--cors-origin {text:?}")), "{error}");
        assert!(error.contains("such as https://board.example"), "{error}");
    }
}

#[test]
fn finished_tasks_are_kept_unless_a_time_is_given() {
    let kept = |arguments: &[&str]| {
        let cli = Cli::try_parse_from([&["octopoid-server"], arguments].concat()).ok()?;
        Some(cli.options.plan().unwrap().settings.retain_done_ms)
    };
    assert_eq!(kept(&[]), Some(None));
    assert_eq!(kept(&["--retain-done", "90d"]), Some(Some(7_776_000_000)));
    assert_eq!(kept(&["--retain-done", "0s"]), None);
}

#[test]
fn a_short_token_of_the_administrator_is_noticed() {
    for (text, is_short) in [("fifteen-letters", true), (" 0123456789abcdef\n", false)] {
        let mut cli = Cli::try_parse_from(["octopoid-server"]).unwrap();
        cli.options.admin_key = Ok(Some(Secret(text.to_owned())));
        let plan = cli.options.plan().unwrap();
        assert_eq!(plan.has_short_admin_key, is_short, "{text}");
        let hash = octopoid_api::auth::hash(text.trim());
        assert_eq!(plan.settings.admin_key_hash, Some(hash), "{text}");
    }
}

#[test]
fn a_databases_password_is_not_shown() {
    let arguments = ["octopoid-server", "--database", "postgres://a:geheim@c/d"];
    let plan = Cli::try_parse_from(arguments).unwrap().options.plan().unwrap();
    assert_eq!(plan.database.to_string(), "postgres://a@c/d");
    assert!(!format!("{plan:?}").contains("geheim"));
    let wrong = Cli::try_parse_from(["o", "--db-connections", "0"]);
    assert!(wrong.is_err());
}

#[test]
fn a_buffer_for_the_log_has_room_for_lines() {
    assert_eq!(log_buffer("65536"), Ok(65_536));
    for text in ["0", "65535"] {
        assert!(log_buffer(text).unwrap_err().contains("at least 65536 bytes"), "{text}");
    }
    assert!(log_buffer("-1").is_err() && log_buffer("8M").is_err());
}

#[test]
fn durations_are_read_with_their_units() {
    assert_eq!(duration("90s").unwrap().as_secs(), 90);
    assert_eq!(duration("2m").unwrap().as_secs(), 120);
    assert_eq!(duration("30d").unwrap().as_secs(), 2_592_000);
    assert!(duration("1mo").is_err(), "months differ in length");
    assert_eq!(duration("0s").unwrap().as_secs(), 0);
    assert!(duration("-1s").is_err());
    assert!(duration("soon").is_err());
    assert!(period("0s").is_err());
}
