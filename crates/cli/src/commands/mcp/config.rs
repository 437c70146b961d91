//! `octopoid mcp config`: how coding agents are connected.

use clap::{ValueEnum, builder::PossibleValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::{
    failure::Outcome,
    output::say_aside,
    session::{Run, Session},
    settings::{Origin, Setting},
};

/// The name of the server in the configuration of clients.
const NAME: &str = "octopoid";

/// The arguments of `mcp config`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The coding agent.
    #[arg(long, value_enum)]
    client: Name,
    /// How it connects: it starts `octopoid mcp`, which finds server and key as this command does, or
    /// it calls the server itself.
    #[arg(long, value_enum, default_value_t = Transport::Stdio)]
    transport: Transport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    Claude,
    Codex,
    Cursor,
    Vscode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Transport {
    Stdio,
    Http,
}

/// How to connect.
enum Connection {
    /// A command and its arguments.
    Command(Vec<String>),
    /// An address, and whether it needs a key.
    Address { url: String, needs_key: bool },
}

impl Run for Args {
    async fn run(&self, session: &Session) -> Outcome {
        let connection = match self.transport {
            Transport::Stdio => Connection::Command(command(session)),
            Transport::Http => {
                Connection::Address { url: url(session), needs_key: session.settings.key.is_some() }
            }
        };
        let text = match self.client {
            Name::Claude => claude(&connection),
            Name::Codex => codex(&connection),
            Name::Cursor => pretty(&cursor(&connection)),
            Name::Vscode => pretty(&vscode(&connection)),
        };
        if session.output.is_for_people() {
            say_aside(&format!("# {}", self.place()));
            let key = session.settings.key.as_ref();
            let is_lost = key.is_some_and(|key| is_of_this_call(&key.origin));
            match &connection {
                Connection::Address { needs_key: true, .. } => say_aside(
                    "# The key is not printed: it is read from OCTOPOID_KEY, or asked for.",
                ),
                Connection::Command(_) if is_lost => say_aside(
                    "# octopoid mcp needs the key too: put it into a profile, or set \
                     OCTOPOID_KEY_FILE where the client runs.",
                ),
                _ => {}
            }
        }
        let client = self.client.to_possible_value();
        let client = client.as_ref().map(PossibleValue::get_name);
        session.output.sentence(&text, json!({"client": client, "text": text}))
    }
}

impl Args {
    /// Where the text belongs.
    fn place(&self) -> &'static str {
        match self.client {
            Name::Claude => "Run this command, in a repository for that repository alone:",
            Name::Codex => "Add this to ~/.codex/config.toml:",
            Name::Cursor => {
                "Add this to .cursor/mcp.json, or to ~/.cursor/mcp.json for all projects:"
            }
            Name::Vscode => "Add this to .vscode/mcp.json:",
        }
    }
}

/// The command that a client starts, with the options that led here. Everything else is found again.
fn command(session: &Session) -> Vec<String> {
    let settings = &session.settings;
    let mut command = vec![NAME.to_owned(), "mcp".to_owned()];
    let mut add = |setting: Option<&Setting>, option: &str| {
        if let Some(setting) = setting.filter(|setting| is_of_this_call(&setting.origin)) {
            command.extend([option.to_owned(), setting.value.clone()]);
        }
    };
    add(settings.profile.as_ref(), "--profile");
    add(Some(&settings.server), "--server");
    add(settings.scope.as_ref(), "--scope");
    command
}

/// Whether a value is known only while this command runs.
fn is_of_this_call(origin: &Origin) -> bool {
    matches!(origin, Origin::Flag(_) | Origin::Variable(_))
}

/// The address of the server's endpoint.
fn url(session: &Session) -> String {
    let settings = &session.settings;
    let named = [("scope", &settings.scope), ("flow", &settings.flow)];
    let pairs: Vec<_> = named
        .iter()
        .filter_map(|(name, setting)| {
            let value = &setting.as_ref()?.value;
            Some(format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        })
        .collect();
    let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
    format!("{}/mcp{query}", settings.server.value)
}

/// Claude Code: a command. It replaces `${NAME}` by the variable when it connects.
fn claude(connection: &Connection) -> String {
    match connection {
        Connection::Command(command) => {
            let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
            format!("claude mcp add {NAME} -- {}", words.join(" "))
        }
        Connection::Address { url, needs_key } => {
            let header = " --header 'Authorization: Bearer ${OCTOPOID_KEY}'";
            let header = if *needs_key { header } else { "" };
            format!("claude mcp add --transport http {NAME} {}{header}", quoted(url))
        }
    }
}

/// Codex: a table of TOML.
fn codex(connection: &Connection) -> String {
    let lines = match connection {
        Connection::Command(command) => {
            format!("command = {}\nargs = {}", json!(command[0]), json!(command[1..]))
        }
        Connection::Address { url, needs_key } => {
            let key = if *needs_key { "\nbearer_token_env_var = \"OCTOPOID_KEY\"" } else { "" };
            format!("url = {}{key}", json!(url))
        }
    };
    // task_next may wait for 50 seconds.
    format!("[mcp_servers.{NAME}]\n{lines}\ntool_timeout_sec = 60")
}

fn cursor(connection: &Connection) -> Value {
    let server = match connection {
        Connection::Command(command) => json!({"command": command[0], "args": command[1..]}),
        Connection::Address { url, needs_key: false } => json!({"url": url}),
        Connection::Address { url, needs_key: true } => {
            json!({"url": url, "headers": {"Authorization": "Bearer ${env:OCTOPOID_KEY}"}})
        }
    };
    json!({"mcpServers": {NAME: server}})
}

/// Visual Studio Code asks for the key, and keeps it.
fn vscode(connection: &Connection) -> Value {
    match connection {
        Connection::Command(command) => {
            let server = json!({"type": "stdio", "command": command[0], "args": command[1..]});
            json!({"servers": {NAME: server}})
        }
        Connection::Address { url, needs_key: false } => {
            json!({"servers": {NAME: {"type": "http", "url": url}}})
        }
        Connection::Address { url, needs_key: true } => json!({
            "servers": {NAME: {
                "type": "http",
                "url": url,
                "headers": {"Authorization": "Bearer ${input:octopoid_key}"},
            }},
            "inputs": [{
                "type": "promptString",
                "id": "octopoid_key",
                "description": "API key of Octopoid",
                "password": true,
            }],
        }),
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// A word of a command line, quoted if a shell would read it as something else.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
