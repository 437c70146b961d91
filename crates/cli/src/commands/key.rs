//! `octopoid key`: API keys.

use std::time::Duration;

use jiff::SignedDuration;
use octopoid_client::Query;
use octopoid_domain::{
    Millis,
    input::{Instant, Prose, Text},
    key::{self, Issued, Key, NewKey, Permission, Rotated},
};
use octopoid_server::duration;
use serde_json::json;

use crate::{
    clock::{instant, seconds},
    commands::verbs,
    failure::{Failure, Outcome},
    output::{Cell, Noun, Times, Tone},
    page::{Filters, Page},
    session::{Run, Session},
};

verbs! {
    /// List keys. Their values are not stored.
    List => List,
    /// Issue a key. Its value is shown only once.
    Issue => Issue,
    /// Revoke a key.
    Revoke => Revoke,
    /// Replace the key that is used; the administrator replaces all keys of the scope.
    Rotate => Rotate,
}

impl Noun for Key {
    const MANY: &'static str = "keys";
    const COLUMNS: &'static [&'static str] =
        &["ID", "SCOPE", "PERMISSION", "LABEL", "LAST USED", "EXPIRES", "STATE"];

    fn example() -> Self {
        Self {
            id: String::new(),
            scope: String::new(),
            label: None,
            permission: Permission::Read,
            created_at: Millis(0),
            last_used_at: None,
            expires_at: None,
            revoked_at: None,
            overlap_ends_at: None,
        }
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        let state = match (self.revoked_at, self.overlap_ends_at) {
            (Some(_), _) => Cell::new("revoked").tone(Tone::Failed),
            (None, Some(_)) => Cell::new("rotated").tone(Tone::Failed),
            (None, None) => Cell::new("valid").tone(Tone::Done),
        };
        vec![
            Cell::new(&self.id),
            Cell::new(&self.scope),
            Cell::new(self.permission.as_str()),
            Cell::maybe(self.label.as_ref()),
            times.maybe(self.last_used_at),
            times.maybe(self.ends_at()),
            state,
        ]
    }
}

impl Noun for Issued {
    const MANY: &'static str = "keys";
    const COLUMNS: &'static [&'static str] = &["ID", "KEY"];

    fn example() -> Self {
        Self { api_key: String::new(), key: Key::example() }
    }

    fn id(&self) -> String {
        self.key.id.clone()
    }

    fn cells(&self, _: &Times) -> Vec<Cell> {
        vec![Cell::new(&self.key.id), Cell::new(&self.api_key)]
    }
}

impl Noun for Rotated {
    const MANY: &'static str = "keys";
    const COLUMNS: &'static [&'static str] = &["SCOPE", "KEY"];

    fn example() -> Self {
        Self { api_key: String::new(), scope: String::new(), expires_at: None }
    }

    fn id(&self) -> String {
        self.api_key.clone()
    }

    fn cells(&self, _: &Times) -> Vec<Cell> {
        vec![Cell::new(&self.scope), Cell::new(&self.api_key)]
    }
}

/// List keys.
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    page: Page,
}

/// Issue a key.
#[derive(Debug, clap::Args)]
struct Issue {
    /// What its holder may do: read, work (for agents and their machines) or manage; login for a code
    /// that signs a browser in once, as in the link of octopoid board.
    #[arg(long, value_name = "PERMISSION", value_parser = permissions(), default_value = "manage")]
    permission: String,
    /// Label by which people know it.
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// When it expires: an instant, or a duration from now [default: never].
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    expires: Option<Millis>,
}

/// Revoke a key.
#[derive(Debug, clap::Args)]
struct Revoke {
    /// Id of the key.
    id: String,
}

/// Rotate a key.
#[derive(Debug, clap::Args)]
struct Rotate {
    /// How long the old key goes on working, at most a week: `1h`.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    overlap: Duration,
}

fn permissions() -> clap::builder::PossibleValuesParser {
    Permission::ALL.map(Permission::as_str).into()
}

impl Run for List {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Key>()?;
        let ask = async |query: Query<'_>| session.client.list_keys(query).await;
        printer.many(&self.page.read(&Filters::default(), None, ask).await?, "no keys")
    }
}

impl Run for Issue {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Issued>()?;
        let new = NewKey {
            permission: Text(Some(self.permission.clone())),
            label: Prose(self.label.clone()),
            expires_at: Instant(self.expires),
            ..NewKey::default()
        };
        let issued = session.client.issue_key(&new).await?;
        printer.secret(&issued, &issued.api_key, &format!("key {}", issued.key.id))
    }
}

impl Run for Revoke {
    async fn run(&self, session: &Session) -> Outcome {
        session.client.revoke_key(&self.id).await?;
        // Programs get what they always got. The key is still in the list.
        let object = json!({ "deleted": "key", "id": self.id });
        session.output.sentence(&format!("revoked key {}", self.id), object)
    }
}

impl Run for Rotate {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Rotated>()?;
        let scope = session.settings.scope.as_ref().ok_or_else(|| {
            Failure::usage("the scope of the key is not known").remedy("name it: --scope NAME")
        })?;
        let body = key::Rotate { overlap_seconds: seconds(self.overlap) };
        let rotated = session.client.rotate_key(&scope.value, &body).await?;
        let until = match SignedDuration::try_from(self.overlap) {
            Ok(overlap) if !overlap.is_zero() => {
                format!("the old one works for another {overlap:#}")
            }
            _ => "it replaces the old one".to_owned(),
        };
        printer.secret(&rotated, &rotated.api_key, &until)
    }
}
