//! `octopoid config`: what this program is told, and by what.

use serde::Serialize;

use crate::{
    commands::verbs,
    failure::Outcome,
    output::{Cell, Noun, Times, Tone},
    session::{Run, Session},
    settings::{Origin, Setting, config_file, state_folder},
};

verbs! {
    /// Show the settings.
    Show => Show,
}

/// A setting, and where its value comes from.
#[derive(Debug, Default, Serialize)]
struct Shown {
    name: &'static str,
    value: Option<String>,
    origin: String,
}

impl Noun for Shown {
    const MANY: &'static str = "settings";
    const COLUMNS: &'static [&'static str] = &["SETTING", "VALUE", "ORIGIN"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.value.clone().unwrap_or_default()
    }

    fn cells(&self, _: &Times) -> Vec<Cell> {
        let value = match &self.value {
            Some(value) => Cell::new(value),
            None => Cell::new("none").tone(Tone::Quiet),
        };
        vec![Cell::new(self.name), value, Cell::new(&self.origin).tone(Tone::Quiet)]
    }
}

/// Show the settings.
#[derive(Debug, clap::Args)]
struct Show {
    /// Say where each value comes from.
    #[arg(long)]
    origin: bool,
}

impl Run for Show {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Shown>()?;
        let settings = &session.settings;
        let key =
            settings.key.as_ref().map(|key| Setting { value: hidden(&key.value), ..key.clone() });
        let named = |name, setting: Option<&Setting>| Shown {
            name,
            value: setting.map(|setting| setting.value.clone()),
            origin: setting.map_or(Origin::Default, |setting| setting.origin.clone()).words(),
        };
        let place =
            |name, value: String| Shown { name, value: Some(value), origin: XDG.to_owned() };
        let shown = vec![
            named("server", Some(&settings.server)),
            named("key", key.as_ref()),
            named("scope", settings.scope.as_ref()),
            named("flow", settings.flow.as_ref()),
            named("user", Some(&settings.user)),
            named("profile", settings.profile.as_ref()),
            place("config_file", config_file()?.display().to_string()),
            place("state_folder", state_folder()?.display().to_string()),
        ];
        if session.output.is_for_people() && !self.origin {
            let rows = shown.iter().map(|shown| {
                let mut cells = shown.cells(&session.output.times);
                cells.truncate(2);
                cells
            });
            return session.output.table(&Shown::COLUMNS[..2], rows.collect());
        }
        let total = shown.len();
        let settings = octopoid_client::Listed { items: shown, total, next_cursor: None };
        printer.many(&settings, "")
    }
}

/// Where files are.
const XDG: &str = "XDG base directories";

/// Enough of a key to recognize it, and too little to use it.
fn hidden(key: &str) -> String {
    let shown: String = key.chars().take(8).collect();
    if key.chars().count() > 16 { format!("{shown}…") } else { "…".to_owned() }
}
