//! The configuration file: profiles, each with a server, a key and a scope.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::failure::{Failure, Outcome};

/// The contents of `octopoid/config.toml` in the XDG configuration folder.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    /// The profile that is used if none is named.
    pub(crate) profile: Option<String>,
    /// The profiles by name.
    pub(crate) profiles: BTreeMap<String, Profile>,
}

/// A server, and as whom it is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Profile {
    /// The address of the server.
    pub(crate) server: Option<String>,
    /// The key.
    pub(crate) key: Option<String>,
    /// A file that holds the key. Relative to the configuration folder.
    pub(crate) key_file: Option<PathBuf>,
    /// The scope.
    pub(crate) scope: Option<String>,
    /// The name under which a person acts.
    pub(crate) user: Option<String>,
}

impl File {
    /// Reads the file; a file that does not exist is empty.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Err(Failure::usage(format!("cannot read {}: {error}", path.display())));
            }
        };
        toml::from_str(&text).map_err(|error| {
            // Neither the excerpt nor the message is shown, because both may quote a key.
            let before = error.span().map_or("", |span| &text[..span.start]);
            let line = before.matches('\n').count() + 1;
            let text = format!("{}, line {line} makes no sense there", path.display());
            Failure::usage(text)
                .remedy("a profile has server, key or key_file, scope and user: see docs/cli.md")
        })
    }

    /// The profile of this name, or the default one.
    pub(crate) fn choose(&self, name: Option<&str>) -> Outcome<Option<(&str, &Profile)>> {
        let Some(name) = name.or(self.profile.as_deref()) else { return Ok(None) };
        let Some((name, profile)) = self.profiles.get_key_value(name) else {
            let known: Vec<_> = self.profiles.keys().map(String::as_str).collect();
            let failure = Failure::usage(format!("there is no profile {name}"));
            return Err(match known[..] {
                [] => failure.remedy("the configuration file has no profiles"),
                _ => failure.remedy(format!("known profiles: {}", known.join(", "))),
            });
        };
        Ok(Some((name, profile)))
    }
}
