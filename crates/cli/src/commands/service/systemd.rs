//! The units of systemd: those of the Debian package, changed for this program and this place.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    Services,
    plan::{File, Plan, Step},
    words,
};
use crate::{
    failure::{Failure, Outcome},
    settings::config_home,
    up::token,
};

const SERVICE: &str = include_str!("../../../../../deploy/systemd/octopoid.service");
const SOCKET: &str = include_str!("../../../../../deploy/systemd/octopoid.socket");
const VARIABLES: &str = include_str!("../../../../../deploy/systemd/server.env");

/// What the units of the package name.
const PROGRAM: &str = "/usr/bin/octopoid";
const LISTEN: &str = "127.0.0.1:8787";
const WANTED_BY: &str = "multi-user.target";

/// Where the part begins, and where the next one does, that a service of a user does not have.
const SANDBOX: &str = "# The sandbox,";
const AFTER_SANDBOX: &str = "[Install]";

/// Folders that a service of the system does not see.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// systemd, and where its units are.
pub(super) struct Systemd {
    is_system: bool,
    units: PathBuf,
    variables: PathBuf,
}

impl Systemd {
    /// That of the system, or of this user.
    pub(super) fn new(is_system: bool) -> Outcome<Self> {
        let settings = if is_system { PathBuf::from("/etc") } else { config_home()? };
        let units = if is_system { "systemd/system" } else { "systemd/user" };
        let variables = settings.join("octopoid/server.env");
        Ok(Self { is_system, units: settings.join(units), variables })
    }

    fn unit(&self, name: &str) -> PathBuf {
        self.units.join(name)
    }

    /// A command of systemd, for the system or for this user.
    fn command(&self, program: &str, line: &str) -> Vec<String> {
        let whose = if self.is_system { "--system" } else { "--user" };
        words(&format!("{program} {whose} {line}"))
    }

    /// The text of the service unit.
    fn service(&self, program: &Path) -> Outcome<String> {
        let path = program.to_str().filter(|path| !path.contains(['\n', '\r']));
        let Some(path) = path.filter(|_| program.is_absolute()) else {
            let text = format!("the unit cannot name the program {}", program.display());
            return Err(
                Failure::usage(text).remedy("name another one: --program /usr/bin/octopoid")
            );
        };
        if self.is_system && HOMES.iter().any(|home| program.starts_with(home)) {
            let text =
                format!("a service of the system cannot run {path}: it sees no home folders");
            return Err(Failure::usage(text)
                .remedy("copy the program to /usr/local/bin, and run it there")
                .remedy("a service of this user can: --user"));
        }
        let service = SERVICE.replace(PROGRAM, &quoted(path));
        if self.is_system {
            return Ok(service);
        }
        let (before, sandbox) = service.split_once(SANDBOX).unwrap_or((&service, ""));
        let after = sandbox.split_once(AFTER_SANDBOX).map_or("", |(_, after)| after);
        Ok(format!("{before}{AFTER_SANDBOX}{after}").replace(WANTED_BY, "default.target"))
    }
}

impl Services for Systemd {
    fn check(&self) -> Outcome {
        let command = self.command("systemctl", "is-system-running");
        let asked = Command::new(&command[0]).args(&command[1..]).stderr(Stdio::null()).output();
        let state = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        match state.as_deref().map(str::trim) {
            Ok("" | "offline" | "unknown") | Err(_) => {
                let whose = if self.is_system { "this system" } else { "this user" };
                Err(Failure::other(format!("systemd does not run services of {whose}")))
            }
            Ok(_) => Ok(()),
        }
    }

    fn install(&self, listen: SocketAddr, program: &Path) -> Outcome<Plan> {
        let file = |name: &str, text: String| File { path: self.unit(name), text };
        let key = format!("API_SECRET_KEY={}\n", token());
        let start = "enable octopoid.socket octopoid.service";
        let restart = "restart octopoid.socket octopoid.service";
        let mut notes = vec![
            format!("the server is at http://{listen}"),
            format!("{} has the token of the administrator", self.variables.display()),
        ];
        if !self.is_system {
            notes.push(
                "it ends when you sign out, unless you run: loginctl enable-linger".to_owned(),
            );
        }
        Ok(Plan {
            files: vec![
                file("octopoid.socket", SOCKET.replace(LISTEN, &listen.to_string())),
                file("octopoid.service", self.service(program)?),
            ],
            secret: File {
                path: self.variables.clone(),
                text: VARIABLES.replace("API_SECRET_KEY=\n", &key),
            },
            steps: vec![
                Step::Run(self.command("systemctl", "daemon-reload")),
                Step::Run(self.command("systemctl", start)),
                // The socket's address may be another one than before, which needs it to be free.
                Step::Try(self.command("systemctl", "stop octopoid.service octopoid.socket")),
                Step::Run(self.command("systemctl", restart)),
            ],
            notes,
        })
    }

    fn status(&self) -> Vec<String> {
        self.command("systemctl", "--no-pager status octopoid.service octopoid.socket")
    }

    fn logs(&self, lines: u32, follows: bool) -> Vec<String> {
        let follow = if follows { " --follow" } else { "" };
        let line = format!("--no-pager --unit octopoid.service --lines {lines}{follow}");
        self.command("journalctl", &line)
    }

    fn uninstall(&self) -> Vec<Step> {
        let stop = "disable --now octopoid.service octopoid.socket";
        vec![
            Step::Try(self.command("systemctl", stop)),
            Step::Remove(self.unit("octopoid.service")),
            Step::Remove(self.unit("octopoid.socket")),
            Step::Run(self.command("systemctl", "daemon-reload")),
        ]
    }
}

/// A path as the first word of `ExecStart=`.
fn quoted(path: &str) -> String {
    let path = path.replace('%', "%%");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+%".contains(c);
    if path.chars().all(is_plain) {
        return path;
    }
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{PROGRAM, SERVICE, SOCKET, Systemd, VARIABLES, quoted};

    fn systemd(is_system: bool) -> Systemd {
        Systemd { is_system, units: "/units".into(), variables: "/server.env".into() }
    }

    #[test]
    fn the_files_of_the_package_have_what_is_replaced() {
        assert_eq!(SERVICE.matches(PROGRAM).count(), 1);
        assert_eq!(SERVICE.matches("WantedBy=multi-user.target").count(), 1);
        assert_eq!(SOCKET.matches("ListenStream=127.0.0.1:8787\n").count(), 1);
        assert_eq!(VARIABLES.matches("\nAPI_SECRET_KEY=\n").count(), 1);
        assert_eq!(systemd(true).service(Path::new(PROGRAM)).unwrap(), SERVICE);
    }

    #[test]
    fn a_service_of_a_user_has_no_sandbox_that_needs_the_system() {
        let service = systemd(false).service(Path::new("/home/a/o")).unwrap();
        for part in ["Type=notify", "ExecStart=/home/a/o serve", "WantedBy=default.target"] {
            assert!(service.contains(part), "{service}");
        }
        for part in ["DynamicUser", "Protect", "SystemCall", "multi-user"] {
            assert!(!service.contains(part), "{service}");
        }
    }

    #[test]
    fn a_service_of_the_system_does_not_run_a_program_that_it_cannot_see() {
        for path in ["/home/a/octopoid", "/root/octopoid", "octopoid"] {
            assert!(systemd(true).service(Path::new(path)).is_err(), "{path}");
        }
        assert!(systemd(true).service(Path::new("/homes/octopoid")).is_ok());
    }

    #[test]
    fn the_path_of_the_program_is_one_word() {
        for (path, expected) in [
            ("/usr/bin/o", "/usr/bin/o"),
            ("/a b/o", "\"/a b/o\""),
            ("/100%/o", "/100%%/o"),
            ("/a\"b\\c", "\"/a\\\"b\\\\c\""),
        ] {
            assert_eq!(quoted(path), expected);
        }
    }
}
