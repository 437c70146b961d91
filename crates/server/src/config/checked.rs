//! The options of `serve` with the origin of each, and what is suspicious in them.
//!
//! [`Configuration`] parses the same command line and environment as [`Options`], which it contains.

use std::{collections::BTreeSet, ffi::OsString, fmt::Write as _};

use anyhow::bail;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, parser::ValueSource};
use octopoid_api::{AuthMode, auth::SHORT_ADMIN_KEY};

use super::{Options, ServeConfig};
use crate::log_filter;

/// The variables that the client commands of `octopoid` read.
const CLIENT_VARIABLES: [&str; 7] = [
    "OCTOPOID_KEY",
    "OCTOPOID_KEY_FILE",
    "OCTOPOID_LEASE_TOKEN",
    "OCTOPOID_PROFILE",
    "OCTOPOID_SCOPE",
    "OCTOPOID_SERVER",
    "OCTOPOID_USER",
];

/// The variables that `octopoid agent run` sets for an agent and its processes.
const RUN_VARIABLES: [&str; 17] = [
    "OCTOPOID_AGENT_NAME",
    "OCTOPOID_ATTEMPT",
    "OCTOPOID_BASE",
    "OCTOPOID_BASE_SHA",
    "OCTOPOID_BRANCH",
    "OCTOPOID_CHECKPOINT_FILE",
    "OCTOPOID_MESSAGES_FILE",
    "OCTOPOID_OUTCOME_FILE",
    "OCTOPOID_PORT_BASE",
    "OCTOPOID_PROGRESS_FILE",
    "OCTOPOID_RUN",
    "OCTOPOID_RUN_MARK",
    "OCTOPOID_SLOT",
    "OCTOPOID_TASK_FILE",
    "OCTOPOID_TASK_ID",
    "OCTOPOID_TASK_TITLE",
    "OCTOPOID_WORKTREE",
];

/// The prefix of the variables of this project.
const PREFIX: &str = "OCTOPOID_";

/// The most letters in which a misspelled variable differs from the one that is suggested.
const MISSPELLED_MAX: usize = 2;

/// The origin of a setting that neither the command line nor the environment has.
const DEFAULT: &str = "default";

/// The options of `serve`, and where each comes from.
#[derive(Debug)]
pub struct Configuration {
    pub(crate) options: Options,
    settings: Vec<Setting>,
    /// The origin of the port, for an address that is not given.
    port_origin: String,
}

/// A setting of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its flag, or the variable if it has none.
    pub name: String,
    /// Its value; `set` for a secret.
    pub value: Option<String>,
    /// `flag --listen`, `variable OCTOPOID_LISTEN`, or `default`.
    pub origin: String,
}

/// What is found about a configuration.
#[derive(Debug)]
pub struct Report {
    /// All settings.
    pub settings: Vec<Setting>,
    /// What is accepted and probably not meant, a sentence each.
    pub warnings: Vec<String>,
    /// Why the server does not start with it.
    pub error: Option<anyhow::Error>,
}

impl Args for Configuration {
    fn augment_args(command: Command) -> Command {
        Options::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Options::augment_args_for_update(command)
    }
}

impl FromArgMatches for Configuration {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let command = Options::augment_args(Command::new("serve"));
        let (shown, hidden): (Vec<_>, Vec<_>) =
            command.get_arguments().partition(|arg| !arg.is_hide_set());
        let settings = shown.iter().map(|arg| setting(arg, matches)).collect();
        let port = hidden.iter().find(|arg| arg.get_id() == "port");
        let port_origin = port.map_or(DEFAULT.to_owned(), |arg| origin(arg, matches));
        Ok(Self { options: Options::from_arg_matches(matches)?, settings, port_origin })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn setting(arg: &Arg, matches: &ArgMatches) -> Setting {
    let values = matches.get_raw(arg.get_id().as_str()).into_iter().flatten();
    let value = values.map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",");
    let value = (!value.is_empty()).then_some(value);
    let value = if arg.is_hide_env_values_set() { value.map(|_| "set".to_owned()) } else { value };
    Setting { name: flag(arg), value, origin: origin(arg, matches) }
}

fn flag(arg: &Arg) -> String {
    format!("--{}", arg.get_long().unwrap_or_else(|| arg.get_id().as_str()))
}

fn origin(arg: &Arg, matches: &ArgMatches) -> String {
    match matches.value_source(arg.get_id().as_str()) {
        Some(ValueSource::CommandLine) => format!("flag {}", flag(arg)),
        Some(ValueSource::EnvVariable) => {
            format!("variable {}", arg.get_env().unwrap_or_default().to_string_lossy())
        }
        _ => DEFAULT.to_owned(),
    }
}

impl Configuration {
    /// Validates the configuration. Nothing is opened.
    pub fn report(&self) -> Report {
        let plan = self.options.plan();
        let mut warnings = unknown(std::env::vars_os().map(|(name, _)| name), &known());
        if let Some(text) = rust_log()
            && let Err(error) = log_filter::parse(&text)
        {
            warnings.push(format!("RUST_LOG: {error}"));
        }
        if plan.as_ref().is_ok_and(|plan| plan.has_short_admin_key) {
            warnings.push(SHORT_ADMIN_KEY.to_owned());
        }
        let settings = self.settings(plan.as_ref().ok());
        Report { settings, warnings, error: plan.err() }
    }

    /// The settings with what the server makes of those that are not given.
    fn settings(&self, plan: Option<&ServeConfig>) -> Vec<Setting> {
        let mut settings = self.settings.clone();
        for setting in &mut settings {
            match (&*setting.name, plan) {
                ("--database", Some(plan)) => {
                    setting.value = Some(plan.database.to_string());
                    if setting.origin == DEFAULT {
                        setting.origin = origin_of_file("DATABASE_URL");
                    }
                }
                ("--listen", Some(plan)) if setting.value.is_none() => {
                    setting.value = Some(plan.listen.to_string());
                    setting.origin.clone_from(&self.port_origin);
                }
                ("--auth", Some(plan)) if setting.value.is_none() => {
                    let is_open = plan.settings.auth == AuthMode::Open;
                    setting.value = Some(if is_open { "open" } else { "required" }.to_owned());
                }
                _ => {}
            }
        }
        let of_variable = |name: &str, value: Option<String>, default: Option<&str>| Setting {
            name: name.to_owned(),
            origin: value.as_ref().map_or(DEFAULT.to_owned(), |_| format!("variable {name}")),
            value: value.or(default.map(str::to_owned)),
        };
        let key = self.options.admin_key.as_ref().ok().and_then(Option::as_ref);
        let mut key = of_variable("API_SECRET_KEY", key.map(|_| "set".to_owned()), None);
        if key.value.is_some() && !is_set("API_SECRET_KEY") {
            key.origin = origin_of_file("API_SECRET_KEY");
        }
        settings.push(key);
        settings.push(of_variable("RUST_LOG", rust_log(), Some("info")));
        let traces = plan.and_then(|plan| plan.traces.as_ref());
        settings.push(Setting {
            name: "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
            value: traces.map(ToString::to_string),
            origin: traces
                .map_or(DEFAULT.to_owned(), |traces| format!("variable {}", traces.variable)),
        });
        settings
    }
}

impl Report {
    /// Prints the settings and the warnings, and fails if the server would not start.
    pub(crate) fn print(self) -> anyhow::Result<()> {
        let rows = self.settings.iter().map(|Setting { name, value, origin }| {
            [name.as_str(), value.as_deref().unwrap_or("none"), origin]
        });
        let rows: Vec<_> = std::iter::once(["SETTING", "VALUE", "ORIGIN"]).chain(rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let (first, second) = (width(0).unwrap_or(0), width(1).unwrap_or(0));
        let mut text = String::new();
        for [name, value, origin] in rows {
            let _ = writeln!(text, "{name:first$}  {value:second$}  {origin}");
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        crate::print(&text)?;
        match self.error {
            Some(error) => bail!(error),
            None => crate::print("the configuration is valid\n"),
        }
    }
}

/// The origin of a secret that no variable has: the file that a variable names, or the default.
fn origin_of_file(name: &str) -> String {
    let variable = format!("{name}_FILE");
    if is_set(&variable) { format!("variable {variable}") } else { DEFAULT.to_owned() }
}

/// Whether a variable has a value.
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn rust_log() -> Option<String> {
    std::env::var("RUST_LOG").ok().filter(|text| !text.trim().is_empty())
}

/// The variables that are read by any part of this project.
fn known() -> BTreeSet<String> {
    let command = Options::augment_args(Command::new("serve"));
    let of_options = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str());
    let others = CLIENT_VARIABLES.into_iter().chain(RUN_VARIABLES);
    of_options.chain(others).map(str::to_owned).collect()
}

/// A warning for each variable that has the prefix of this project and is not read.
fn unknown(names: impl Iterator<Item = OsString>, known: &BTreeSet<String>) -> Vec<String> {
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let unknown = names.filter(|name| name.starts_with(PREFIX) && !known.contains(name));
    let sorted: BTreeSet<_> = unknown.collect();
    sorted
        .iter()
        .map(|name| {
            let distance = |other: &&String| strsim::damerau_levenshtein(name, other);
            let nearest = known.iter().min_by_key(distance);
            match nearest.filter(|other| distance(other) <= MISSPELLED_MAX) {
                Some(other) => {
                    format!("the variable {name} is unknown and ignored: did you mean {other}?")
                }
                None => format!("the variable {name} is unknown and ignored"),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Configuration, Setting, known, unknown};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        configuration: Configuration,
    }

    fn settings(arguments: &[&str]) -> Vec<Setting> {
        let line = Line::try_parse_from(["o"].iter().chain(arguments)).unwrap();
        line.configuration.report().settings
    }

    fn find(settings: &[Setting], name: &str) -> (Option<String>, String) {
        let setting = settings.iter().find(|setting| setting.name == name).unwrap();
        (setting.value.clone(), setting.origin.clone())
    }

    #[test]
    fn each_setting_has_its_value_and_origin() {
        let given = settings(&["--lease-grace", "5s", "--cors-origin", "https://a,https://b"]);
        let expected = |value: &str, origin: &str| (Some(value.to_owned()), origin.to_owned());
        assert_eq!(find(&given, "--lease-grace"), expected("5s", "flag --lease-grace"));
        assert_eq!(find(&given, "--reap-interval"), expected("10s", "default"));
        assert_eq!(find(&given, "--auth"), expected("open", "default"));
        assert_eq!(find(&given, "--metrics-listen"), (None, "default".to_owned()));
        let origins = expected("https://a,https://b", "flag --cors-origin");
        assert_eq!(find(&given, "--cors-origin"), origins);
    }

    #[test]
    fn an_address_that_is_not_given_has_the_origin_of_its_port() {
        let given = settings(&["--port", "9"]);
        let listen = find(&given, "--listen");
        assert_eq!(listen, (Some("127.0.0.1:9".to_owned()), "flag --port".to_owned()));
    }

    #[test]
    fn the_password_of_a_database_is_not_shown() {
        let given = settings(&["--database", "postgres://a:geheim@c/d"]);
        assert_eq!(find(&given, "--database").0.as_deref(), Some("postgres://a@c/d"));
        assert!(!format!("{given:?}").contains("geheim"));
    }

    #[test]
    fn a_misspelled_variable_is_told_with_the_one_that_may_be_meant() {
        let names = ["OCTOPOID_LISTNE", "OCTOPOID_KEY", "PATH", "OCTOPOID_COLOUR_OF_THE_BOARD"];
        let warnings = unknown(names.into_iter().map(Into::into), &known());
        let expected = [
            "the variable OCTOPOID_COLOUR_OF_THE_BOARD is unknown and ignored",
            "the variable OCTOPOID_LISTNE is unknown and ignored: did you mean OCTOPOID_LISTEN?",
        ];
        assert_eq!(warnings, expected);
    }
}
