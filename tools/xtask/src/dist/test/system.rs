//! A Debian system that has nothing but what Debian installs, and the package in it: first without,
//! then with systemd running. docs/tour.md is followed there, from its first command.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use octopoid_testbed::{is_ci, tour::Tour};
use sha2::{Digest as _, Sha256};

use super::{answers, chroot, furnish};
use crate::workspace::Workspace;
use crate::{output, paths, process};

/// The release of Debian.
const SUITE: &str = "bookworm";

/// What it has beside the smallest system: a service manager, `man`, and what the tour installs with
/// the package, so that installing needs no network.
const PACKAGES: &str = "--include=systemd,systemd-sysv,man-db,ca-certificates,curl,openssl,\
    prometheus,python3";

/// What has to be installed for it.
const TOOLS: [&str; 2] = ["debootstrap", "systemd-nspawn"];

/// How long the system may take to start, run its checks and stop.
const BOOT_MAX: Duration = Duration::from_mins(6);

/// What runs in the system once its services have been started.
const CHECKS: &str = include_str!("checks.sh");

/// Where the script is in the system, and what it leaves there.
const SCRIPT: &str = "octopoid-checks.sh";
const PROGRESS: &str = "octopoid-checks.log";
const PASSED: &str = "octopoid-checks.passed";

/// The page of the tour, its script in the system, and what the script prints there.
const TOUR: &str = "docs/tour.md";
const TOUR_SCRIPT: &str = "octopoid-tour.sh";
const TOUR_PRINTED: &str = "octopoid-tour.log";

/// How the page calls the package.
const TOUR_PACKAGE: &str = "./octopoid_0.1.0_amd64.deb";

/// The unit of the script.
const UNIT: &str =
    "[Unit]\nAfter=octopoid.service\n[Service]\nType=oneshot\nExecStart=/octopoid-checks.sh\n";

/// Installs a package as the tour says, runs the program, boots the system, and removes the package.
pub(super) fn install(package: &Path) -> anyhow::Result<()> {
    for tool in TOOLS {
        if !process::succeeds(process::at_root(tool).arg("--version")) {
            let why = format!("the package for Debian was not installed: there is no {tool}");
            return output::missing(is_ci(), why);
        }
    }
    if !process::succeeds(process::at_root("chroot").args(["/", "true"])) {
        let why = "the package for Debian was not installed: chroot needs to be root";
        return output::missing(is_ci(), why);
    }
    let base = match base() {
        Ok(base) => base,
        Err(error) => {
            // Debian's mirror is not ours, and not every machine may reach it.
            output::skipped(format_args!(
                "the package for Debian was NOT installed into a clean system: {error:#}"
            ));
            return Ok(());
        }
    };
    let folder = tempfile::tempdir_in(base.parent().unwrap_or(&base))?;
    let root = folder.path().join("root");
    process::run(
        process::at_root("cp").args(["--archive", "--reflink=auto"]).arg(&base).arg(&root),
    )?;
    fs::copy(package, root.join("octopoid.deb"))?;
    let tour = Tour::read(&fs::read_to_string(paths::root().join(TOUR))?)?;
    let command = tour.install().context("the tour does not install the package")?;
    ensure!(command.contains(TOUR_PACKAGE), "the tour installs another package: {command}");
    let command = command.replace(TOUR_PACKAGE, "/octopoid.deb").replace("sudo ", "");
    process::run(chroot(&root, "sh").args(["-ec", &command]))?;
    check_files(&root)?;
    if furnish(&root)? {
        answers(|| chroot(&root, "/usr/bin/octopoid"), Path::new("/tmp"))?;
    }
    boot(&root, &tour)?;
    // An upgrade, here to the same version, keeps the token of the administrator.
    let variables = root.join("etc/octopoid/server.env");
    let before = fs::read_to_string(&variables)?;
    process::run(chroot(&root, "dpkg").args(["--install", "/octopoid.deb"]))?;
    ensure!(
        fs::read_to_string(&variables)? == before,
        "an upgrade has changed {}",
        variables.display()
    );
    process::run(chroot(&root, "dpkg").args(["--purge", "octopoid"]))?;
    for left in [
        "etc/octopoid",
        "usr/bin/octopoid",
        "etc/systemd/system/sockets.target.wants/octopoid.socket",
    ] {
        ensure!(fs::symlink_metadata(root.join(left)).is_err(), "{left} is left of the package");
    }
    Ok(())
}

/// The clean system. It is made once for these packages, and copied for each run.
fn base() -> anyhow::Result<PathBuf> {
    let folder = Workspace::load()?.target.join("dist-system");
    let name = format!("{SUITE}-{}", &hex::encode(Sha256::digest(PACKAGES))[..8]);
    let (base, unfinished) = (folder.join(name), folder.join("unfinished"));
    if base.exists() {
        return Ok(base);
    }
    super::super::empty(&unfinished)?;
    let mut debootstrap = process::at_root("debootstrap");
    debootstrap.args(["--variant=minbase", PACKAGES, SUITE]).arg(&unfinished);
    process::run(&mut debootstrap)?;
    fs::rename(&unfinished, &base)?;
    Ok(base)
}

/// Looks at what the package has installed.
fn check_files(root: &Path) -> anyhow::Result<()> {
    for page in ["octopoid", "octopoid-task-claim"] {
        process::run(chroot(root, "man").args(["--where", page]))?;
    }
    for completions in ["bash-completion/completions/octopoid", "zsh/vendor-completions/_octopoid"]
    {
        ensure!(root.join("usr/share").join(completions).is_file(), "there is no {completions}");
    }
    let units = ["octopoid.service", "octopoid.socket"];
    process::run(chroot(root, "systemd-analyze").arg("verify").args(units))?;
    process::run(chroot(root, "systemctl").arg("is-enabled").args(units))?;
    let mode =
        process::read(chroot(root, "stat").args(["--format=%a %U", "/etc/octopoid/server.env"]))?;
    ensure!(mode.trim() == "600 root", "/etc/octopoid/server.env has mode and owner {mode}");
    Ok(())
}

/// Starts the system with systemd as its first process, has it run the checks, and waits for its end.
fn boot(root: &Path, tour: &Tour) -> anyhow::Result<()> {
    let script = root.join(SCRIPT);
    fs::write(&script, CHECKS)?;
    fs::write(root.join(TOUR_SCRIPT), tour.script(&[]))?;
    process::run(process::at_root("chmod").arg("755").arg(&script))?;
    let units = root.join("etc/systemd/system");
    super::super::write(&units.join("octopoid-checks.service"), UNIT)?;
    let wants = units.join("multi-user.target.wants");
    fs::create_dir_all(&wants)?;
    std::os::unix::fs::symlink(
        "../octopoid-checks.service",
        wants.join("octopoid-checks.service"),
    )?;
    let seconds = BOOT_MAX.as_secs().to_string();
    let mut nspawn = process::at_root("timeout");
    nspawn.args(["--kill-after=10", &seconds, "systemd-nspawn", "--quiet", "--boot"]);
    nspawn.args(["--private-network", "--register=no", "--keep-unit", "--console=pipe"]);
    nspawn.arg("--directory").arg(root).stdin(std::process::Stdio::null());
    let ended = process::run(&mut nspawn);
    let progress = fs::read_to_string(root.join(PROGRESS)).unwrap_or_default();
    progress.lines().for_each(output::line);
    let has_passed = root.join(PASSED).exists();
    let printed = fs::read_to_string(root.join(TOUR_PRINTED));
    if has_passed || printed.is_ok() {
        tour.compare(&tour.recorded(&printed?, &[])?)?;
    }
    if has_passed {
        return Ok(());
    }
    if progress.is_empty() {
        let why = ended.err().map(|error| format!(": {error:#}")).unwrap_or_default();
        // Not every machine lets a process start a system of its own, which is no fault of ours.
        output::skipped(format_args!(
            "the service was NOT run by systemd: systemd-nspawn could not start a system here{why}"
        ));
        return Ok(());
    }
    bail!("the service does not work under systemd, see the lines above")
}
