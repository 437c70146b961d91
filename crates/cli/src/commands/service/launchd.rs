//! The property list of launchd, the service manager of macOS.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{
    Services,
    plan::{File, Plan, Step},
    words,
};
use crate::{
    failure::{Failure, Outcome},
    settings::{config_home, data_folder, home, state_folder},
    up::token,
};

const TEMPLATE: &str = include_str!("../../../../../deploy/launchd/octopoid.server.plist");

/// The name of the service.
const LABEL: &str = "octopoid.server";

/// Where the files of the service of a user are.
pub(super) struct Launchd {
    list: PathBuf,
    key: PathBuf,
    database: PathBuf,
    log: PathBuf,
}

impl Launchd {
    /// That of this user.
    pub(super) fn new(is_system: bool) -> Outcome<Self> {
        if is_system {
            return Err(Failure::usage("with launchd, there is only the service of a user")
                .remedy("leave --system out"));
        }
        Ok(Self {
            list: home()?.join(format!("Library/LaunchAgents/{LABEL}.plist")),
            key: config_home()?.join("octopoid/administrator.key"),
            // Not that of `octopoid up`, which is in the same folder.
            database: data_folder()?.join("server.db"),
            log: state_folder()?.join("server.log"),
        })
    }

    /// The session of this user, whose services these are.
    fn domain() -> String {
        format!("gui/{}", rustix::process::getuid().as_raw())
    }
}

impl Services for Launchd {
    fn check(&self) -> Outcome {
        if Path::new("/bin/launchctl").exists() {
            return Ok(());
        }
        Err(Failure::other("launchd does not run on this system: there is no /bin/launchctl"))
    }

    fn install(&self, listen: SocketAddr, program: &Path) -> Outcome<Plan> {
        let listen = listen.to_string();
        let values = [
            ("@PROGRAM@", program.to_string_lossy()),
            ("@LISTEN@", listen.as_str().into()),
            ("@DATABASE@", self.database.to_string_lossy()),
            ("@KEY_FILE@", self.key.to_string_lossy()),
            ("@LOG@", self.log.to_string_lossy()),
        ];
        let text = values
            .iter()
            .fold(TEMPLATE.to_owned(), |text, (name, value)| text.replace(name, &escaped(value)));
        let mut folders = words("mkdir -p");
        let needed = [&self.database, &self.log].into_iter().filter_map(|path| path.parent());
        folders.extend(needed.map(|folder| folder.to_string_lossy().into_owned()));
        let mut start = words(&format!("launchctl bootstrap {}", Self::domain()));
        start.push(self.list.to_string_lossy().into_owned());
        Ok(Plan {
            files: vec![File { path: self.list.clone(), text }],
            secret: File { path: self.key.clone(), text: format!("{}\n", token()) },
            steps: vec![
                Step::Run(folders),
                Step::Try(words(&format!("launchctl bootout {}/{LABEL}", Self::domain()))),
                Step::Run(start),
            ],
            notes: vec![
                format!("the server is at http://{listen}"),
                format!("{} has the token of the administrator", self.key.display()),
            ],
        })
    }

    fn status(&self) -> Vec<String> {
        words(&format!("launchctl print {}/{LABEL}", Self::domain()))
    }

    fn logs(&self, lines: u32, follows: bool) -> Vec<String> {
        let follow = if follows { " -f" } else { "" };
        let mut command = words(&format!("tail -n {lines}{follow}"));
        command.push(self.log.to_string_lossy().into_owned());
        command
    }

    fn uninstall(&self) -> Vec<Step> {
        vec![
            Step::Try(words(&format!("launchctl bootout {}/{LABEL}", Self::domain()))),
            Step::Remove(self.list.clone()),
        ]
    }
}

/// A text inside of an element of XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Launchd, Services as _};

    #[test]
    fn all_values_are_filled_in_and_escaped() {
        let launchd = Launchd {
            list: "/l.plist".into(),
            key: "/k".into(),
            database: "/a & b/o.db".into(),
            log: "/log".into(),
        };
        let plan = launchd.install("127.0.0.1:1".parse().unwrap(), Path::new("/o")).unwrap();
        let text = &plan.files[0].text;
        for part in ["<string>/o</string>", "sqlite:/a &amp; b/o.db", "127.0.0.1:1"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains('@') && !text.contains(plan.secret.text.trim()), "{text}");
    }
}
