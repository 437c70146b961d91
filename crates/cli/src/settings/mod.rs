//! Which server is called, with which key and scope, as whom, and where each of these comes from.
//!
//! A flag wins over its variable, which wins over the profile, which wins over the running
//! `octopoid up` of the repository, which wins over the default. `octopoid up` counts as a whole:
//! its key and its scope are for its server only.

mod profiles;

use std::{
    fs,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy as _;

use crate::{
    failure::{Failure, Outcome},
    repository::Repository,
    up::{self, Running},
};

pub(crate) use self::profiles::{File, Profile};

/// The server that is called if none is named: the one that `octopoid serve` starts.
const SERVER_DEFAULT: &str = "http://127.0.0.1:8787";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A profile of the configuration file.
    Profile(String),
    /// The configuration file, outside of its profiles.
    File,
    /// The git repository of the working directory.
    Repository,
    /// The running `octopoid up` of this repository.
    Up,
    /// Nothing names it.
    Default,
}

impl Origin {
    /// The origin in words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Flag(name) => format!("flag {name}"),
            Self::Variable(name) => format!("variable {name}"),
            Self::Profile(name) => format!("profile {name}"),
            Self::File => "configuration file".to_owned(),
            Self::Repository => "name of this git repository".to_owned(),
            Self::Up => "octopoid up of this repository".to_owned(),
            Self::Default => "default".to_owned(),
        }
    }
}

/// A value, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting<T = String> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// What flags say.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ServerFlags {
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Server",
        help = "Address of the server [env: OCTOPOID_SERVER] [default: that of octopoid up, or \
                http://127.0.0.1:8787]"
    )]
    pub(crate) server: Option<String>,
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Server",
        help = "File that holds the API key [env: OCTOPOID_KEY_FILE]. The key itself is read from \
                OCTOPOID_KEY, because every user of the machine sees command lines"
    )]
    pub(crate) key_file: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Server",
        help = "Scope [env: OCTOPOID_SCOPE] [default: that of the key, or the name of the git \
                repository]"
    )]
    pub(crate) scope: Option<String>,
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Server",
        help = "Profile of the configuration file [env: OCTOPOID_PROFILE]"
    )]
    pub(crate) profile: Option<String>,
}

/// The resolved settings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) server: Setting,
    pub(crate) key: Option<Setting>,
    pub(crate) scope: Option<Setting>,
    /// The flow of tasks that are added.
    pub(crate) flow: Option<Setting>,
    /// The name under which a person, or an agent without a name of its own, acts.
    pub(crate) user: Setting,
    pub(crate) profile: Option<Setting>,
}

/// The environment: a function, so that tests need not change that of their process.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Settings {
    /// Resolves the settings of this process.
    pub(crate) fn load(flags: &ServerFlags) -> Outcome<Self> {
        let path = config_file()?;
        let file = File::read(&path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::resolve(flags, &variable, &file, folder, Repository::here(), up::running)
    }

    fn resolve(
        flags: &ServerFlags,
        variable: Environment<'_>,
        file: &File,
        folder: &Path,
        repository: Option<Repository>,
        running: impl FnOnce(&Repository) -> Outcome<Option<Running>>,
    ) -> Outcome<Self> {
        let named = flags.profile.clone().map(|name| (name, Origin::Flag("--profile")));
        let by_variable = || {
            let name = variable("OCTOPOID_PROFILE")?;
            Some((name, Origin::Variable("OCTOPOID_PROFILE")))
        };
        let (named, origin) = named.or_else(by_variable).unzip();
        let (name, profile) = file.choose(named.as_deref())?.unzip();
        let none = Profile::default();
        let sources = Sources { variable, name, profile: profile.unwrap_or(&none) };
        let server = sources.find(
            flags.server.as_deref().map(|value| (value, "--server")),
            "OCTOPOID_SERVER",
            |profile| profile.server.as_deref(),
        );
        // Another server than that of the profile must not be shown its key.
        let of_profile = sources.profile.server.as_deref().unwrap_or(SERVER_DEFAULT);
        let is_of_profile = |server: &Setting| {
            server.value.trim_end_matches('/') == of_profile.trim_end_matches('/')
        };
        let may_use_profile = server.as_ref().is_none_or(is_of_profile);
        let key = sources.key(flags, folder, may_use_profile)?;
        let scope = sources.find(
            flags.scope.as_deref().map(|value| (value, "--scope")),
            "OCTOPOID_SCOPE",
            |profile| profile.scope.as_deref(),
        );
        // Without a key: a key has its scope, and only without one is anything chosen by the place.
        let here = repository.filter(|_| key.is_none());
        let up = here.as_ref().map(running).transpose()?.flatten();
        let up = up.filter(|up| up.is_meant(server.as_ref(), scope.as_ref()));
        let (at, key, own_scope, flow) = if let Some(up) = up {
            let of = |value| Some(Setting { value, origin: Origin::Up });
            (of(up.server), of(up.key), of(up.scope), of(up.flow))
        } else {
            let named = here.map(|here| Setting { value: here.name, origin: Origin::Repository });
            (None, key, named, None)
        };
        let user = sources.find(None, "OCTOPOID_USER", |profile| profile.user.as_deref());
        let login = || variable("USER").or_else(|| variable("LOGNAME"));
        let server = server.or(at);
        let mut server = server.unwrap_or_else(|| Setting::default_of(SERVER_DEFAULT));
        server.value.truncate(server.value.trim_end_matches('/').len());
        if !server.value.starts_with("http://") && !server.value.starts_with("https://") {
            let text = format!("the server {:?} is no address", server.value);
            let from = format!("it comes from: {}", server.origin.words());
            return Err(Failure::usage(text).remedy(from).remedy("write it as http://HOST:PORT"));
        }
        Ok(Self {
            server,
            key,
            scope: scope.or(own_scope),
            flow,
            user: user.unwrap_or_else(|| {
                Setting::default_of(&login().unwrap_or_else(|| "octopoid".to_owned()))
            }),
            profile: name.map(|name| Setting {
                value: name.to_owned(),
                origin: origin.unwrap_or(Origin::File),
            }),
        })
    }
}

impl Running {
    /// Whether it is meant, and not another server or another scope.
    fn is_meant(&self, server: Option<&Setting>, scope: Option<&Setting>) -> bool {
        let address = |server: &str| server.trim_end_matches('/').to_owned();
        server.is_none_or(|server| address(&server.value) == address(&self.server))
            && scope.is_none_or(|scope| scope.value == self.scope)
    }
}

impl Setting {
    fn default_of(value: &str) -> Self {
        Self { value: value.to_owned(), origin: Origin::Default }
    }
}

/// What comes after the flags.
struct Sources<'a> {
    variable: Environment<'a>,
    name: Option<&'a str>,
    profile: &'a Profile,
}

impl Sources<'_> {
    fn origin(&self) -> Origin {
        Origin::Profile(self.name.unwrap_or_default().to_owned())
    }

    fn find(
        &self,
        flag: Option<(&str, &'static str)>,
        variable: &'static str,
        of_profile: impl Fn(&Profile) -> Option<&str>,
    ) -> Option<Setting> {
        let flag = flag.map(|(value, name)| (value.to_owned(), Origin::Flag(name)));
        let named = || (self.variable)(variable).map(|value| (value, Origin::Variable(variable)));
        let profile = || of_profile(self.profile).map(|value| (value.to_owned(), self.origin()));
        let (value, origin) = flag.or_else(named).or_else(profile)?;
        Some(Setting { value, origin })
    }

    fn key(
        &self,
        flags: &ServerFlags,
        folder: &Path,
        may_use_profile: bool,
    ) -> Outcome<Option<Setting>> {
        if let Some(path) = &flags.key_file {
            return read_key(path, Origin::Flag("--key-file")).map(Some);
        }
        let mut key = self.find(None, "OCTOPOID_KEY", |profile| {
            profile.key.as_deref().filter(|_| may_use_profile)
        });
        // Where a variable is filled from a file, it may end like one.
        if let Some(key) = &mut key {
            key.value = key.value.trim().to_owned();
        }
        let is_of_variable = |key: &Setting| matches!(key.origin, Origin::Variable(_));
        if !key.as_ref().is_some_and(is_of_variable)
            && let Some(path) = (self.variable)("OCTOPOID_KEY_FILE")
        {
            return read_key(Path::new(&path), Origin::Variable("OCTOPOID_KEY_FILE")).map(Some);
        }
        match &self.profile.key_file {
            Some(path) if key.is_none() && may_use_profile => {
                read_key(&folder.join(path), self.origin()).map(Some)
            }
            _ => Ok(key),
        }
    }
}

fn read_key(path: &Path, origin: Origin) -> Outcome<Setting> {
    let text = fs::read_to_string(path).map_err(|error| {
        let from = format!("its name comes from: {}", origin.words());
        Failure::usage(format!("cannot read the key in {}: {error}", path.display())).remedy(from)
    })?;
    Ok(Setting { value: text.trim().to_owned(), origin })
}

/// The configuration file.
pub(crate) fn config_file() -> Outcome<PathBuf> {
    Ok(config_home()?.join("octopoid/config.toml"))
}

/// The folder for the configuration of all programs of this user.
pub(crate) fn config_home() -> Outcome<PathBuf> {
    Ok(folders()?.config_dir())
}

/// The home folder of this user.
pub(crate) fn home() -> Outcome<PathBuf> {
    Ok(folders()?.home_dir().to_owned())
}

/// The folder for what this program must remember.
pub(crate) fn state_folder() -> Outcome<PathBuf> {
    let folders = folders()?;
    Ok(folders.state_dir().unwrap_or_else(|| folders.data_dir()).join("octopoid"))
}

/// The folder of `octopoid up`, with its database.
pub(crate) fn data_folder() -> Outcome<PathBuf> {
    Ok(folders()?.data_dir().join("octopoid"))
}

fn folders() -> Outcome<etcetera::base_strategy::Xdg> {
    etcetera::base_strategy::Xdg::new()
        .map_err(|_| Failure::usage("there is no home folder: set HOME"))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
