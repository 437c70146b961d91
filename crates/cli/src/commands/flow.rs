//! `octopoid flow`: which queues tasks may be in, and which steps lead on.

use std::{fs, path::PathBuf};

use octopoid_client::Query;
use octopoid_domain::{
    Millis,
    flow::{Flow, NewFlow, state_names},
    input::{Prose, Text},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    commands::verbs,
    failure::{Failure, Outcome},
    output::{Cell, Noun, Times},
    page::{Filters, Page},
    session::{Run, Session},
};

verbs! {
    /// Register the flow in a file, or replace the one of its name.
    Apply => Apply,
    /// Show a flow.
    Get => Get,
    /// List flows.
    List => List,
    /// Check the flow in a file, without a server.
    Validate => Validate,
}

impl Noun for Flow {
    const MANY: &'static str = "flows";
    const COLUMNS: &'static [&'static str] = &["NAME", "QUEUES", "DESCRIPTION", "UPDATED"];

    fn example() -> Self {
        Self {
            name: String::new(),
            scope: String::new(),
            states: String::new(),
            transitions: String::new(),
            registered_at: Millis(0),
            updated_at: Millis(0),
            description: None,
            child_flow: Value::Null,
        }
    }

    fn id(&self) -> String {
        self.name.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        vec![
            Cell::new(&self.name),
            Cell::new(state_names(&self.states).join(", ")),
            Cell::maybe(self.description.as_ref()),
            times.cell(self.updated_at),
        ]
    }
}

/// A flow as it is written in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    states: Value,
    transitions: Value,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    child_flow: Value,
}

/// A file with a flow.
#[derive(Debug, clap::Args)]
struct Source {
    /// File with a flow: name, states, and transitions with from and to. JSON, or TOML if its name
    /// ends in .toml.
    file: PathBuf,
}

/// Register a flow.
#[derive(Debug, clap::Args)]
struct Apply {
    #[command(flatten)]
    source: Source,
}

/// Check a flow.
#[derive(Debug, clap::Args)]
struct Validate {
    #[command(flatten)]
    source: Source,
}

/// Show a flow.
#[derive(Debug, clap::Args)]
struct Get {
    /// Name of the flow.
    name: String,
}

/// List flows.
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    page: Page,
}

impl Source {
    /// Reads the file and checks it as the server does.
    fn read(&self) -> Outcome<(String, NewFlow)> {
        let path = self.file.display();
        let text = fs::read_to_string(&self.file)
            .map_err(|error| Failure::usage(format!("cannot read {path}: {error}")))?;
        let is_toml = self.file.extension().is_some_and(|end| end == "toml");
        let file: Result<File, String> = if is_toml {
            toml::from_str(&text).map_err(|error| error.to_string())
        } else {
            serde_json::from_str(&text).map_err(|error| error.to_string())
        };
        let file = file.map_err(|error| Failure::usage(format!("{path}: {}", error.trim_end())))?;
        let flow = NewFlow {
            scope: Text(None),
            states: file.states,
            transitions: file.transitions,
            description: Prose(file.description),
            child_flow: file.child_flow,
        };
        match flow.check(&file.name) {
            Ok(_) => Ok((file.name, flow)),
            Err(refusal) => Err(Failure::usage(format!("{path}: {refusal}"))),
        }
    }
}

impl Run for Apply {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Flow>()?;
        let (name, new) = self.source.read()?;
        let flow = session.client.put_flow(&name, &new).await?;
        printer.changed(&flow, &format!("applied flow {name}"))
    }
}

impl Run for Validate {
    async fn run(&self, session: &Session) -> Outcome {
        let (name, flow) = self.source.read()?;
        let states = flow.states.as_array().map_or(0, Vec::len);
        let steps = flow.transitions.as_array().map_or(0, Vec::len);
        let sentence = format!("flow {name} is valid: {states} queues, {steps} steps");
        session.output.sentence(&sentence, json!({ "name": name, "is_valid": true }))
    }
}

impl Run for Get {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Flow>()?;
        printer.one(&session.client.get_flow(&self.name).await?)
    }
}

impl Run for List {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Flow>()?;
        let ask = async |query: Query<'_>| session.client.list_flows(query).await;
        let none = "no flows: without one, tasks follow the built-in queues";
        printer.many(&self.page.read(&Filters::default(), None, ask).await?, none)
    }
}
