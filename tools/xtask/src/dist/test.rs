//! Installs the packages, and runs the program from each of them.
//!
//! The package for Debian goes into a system of its own, which [`system`] makes. What this machine
//! cannot do is skipped with a line that says so, and fails in continuous integration.

mod system;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use octopoid_testbed as testbed;

use super::{Build, sums};
use crate::output;
use crate::process;
use crate::steps::{AfterFailure, Step, run as run_steps};
use crate::workspace::Workspace;

/// A test of a package.
type Test<'a> = dyn Fn() -> anyhow::Result<()> + 'a;

/// Packages that were built, and a folder for what is made of them.
struct Packages {
    folder: PathBuf,
    scratch: PathBuf,
}

/// Builds packages of what is not released yet, and installs each of them. They are built without
/// optimization, which takes a fraction of the time and changes nothing about how they are made.
pub(super) fn run() -> anyhow::Result<()> {
    let out = Workspace::load()?.target.join("dist-test");
    let build = Build { unreleased: true, profile: "dev".to_owned(), out: Some(out) };
    let folder = super::build(&build)?;
    // Not in /tmp, where devices may be forbidden.
    let scratch = tempfile::tempdir_in(&folder)?;
    let packages = &Packages { folder, scratch: scratch.path().to_owned() };
    let steps: [Step<Box<Test<'_>>>; 4] = [
        ("checksums", Box::new(|| packages.check_sums())),
        ("tarball", Box::new(|| packages.run_alone())),
        ("npm", Box::new(|| packages.install_with_npm())),
        ("deb", Box::new(|| system::install(&packages.find(".deb")?))),
    ];
    run_steps("dist", &steps, AfterFailure::GoOn)
}

impl Packages {
    /// The package for this machine whose name ends like this.
    fn find(&self, suffix: &str) -> anyhow::Result<PathBuf> {
        let arch = if cfg!(target_os = "linux") { std::env::consts::ARCH } else { "none" };
        let names = match arch {
            "x86_64" => ["x86_64", "x64", "amd64"],
            "aarch64" => ["aarch64", "arm64", "arm64"],
            _ => bail!("there are no packages for this machine"),
        };
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(suffix) && names.iter().any(|arch| name.contains(arch)) {
                return Ok(path);
            }
        }
        bail!("there is no package *{suffix} for {arch}")
    }

    /// Checks the checksums with the program that users have.
    fn check_sums(&self) -> anyhow::Result<()> {
        let mut sums_checked = process::at_root("sha256sum");
        process::run(sums_checked.args(["--check", sums::FILE]).current_dir(&self.folder))
    }

    /// Runs the program of the tarball in a root with nothing else in it, as in the image.
    fn run_alone(&self) -> anyhow::Result<()> {
        let unpacked = self.scratch.join("tarball");
        fs::create_dir(&unpacked)?;
        let mut tar = process::at_root("tar");
        process::run(
            tar.arg("xf")
                .arg(self.find(".tar.gz")?)
                .args(["--strip-components=1", "-C"])
                .arg(&unpacked),
        )?;
        for file in [
            "man/man1/octopoid-serve.1",
            "completions/_octopoid",
            "systemd/octopoid.service",
            "monitoring/rules.yaml",
        ] {
            ensure!(unpacked.join(file).is_file(), "the tarball has no {file}");
        }
        let root = self.scratch.join("root");
        super::copy(&unpacked.join("octopoid"), &root.join("octopoid"))?;
        let is_ready = process::succeeds(process::at_root("chroot").args(["/", "true"]));
        if !is_ready {
            let why = "the program was not run in an empty root: chroot needs to be root";
            output::missing(testbed::is_ci(), why)?;
            return answers(|| Command::new(unpacked.join("octopoid")), &self.scratch);
        }
        if !furnish(&root)? {
            return Ok(());
        }
        answers(|| chroot(&root, "/octopoid"), Path::new("/tmp"))
    }

    /// Installs the package for npm into an empty folder, and runs the program from there.
    fn install_with_npm(&self) -> anyhow::Result<()> {
        let folder = self.scratch.join("npm");
        fs::create_dir(&folder)?;
        let mut npm = process::at_root("npm");
        npm.args(["install", "--offline", "--no-audit", "--no-fund", "--prefix"]).arg(&folder);
        process::run(npm.arg(self.find(".tgz")?).current_dir(&folder))?;
        let program = folder.join("node_modules/.bin/octopoid");
        answers(|| Command::new(&program), &self.scratch)
    }
}

/// Gives a root what every container has: randomness, a folder for temporary files, and its own name.
/// Where the machine lets no devices be made, this says that the program is not run in the root, and
/// the answer is `false`.
fn furnish(root: &Path) -> anyhow::Result<bool> {
    fs::create_dir_all(root.join("tmp"))?;
    super::write(&root.join("etc/hosts"), "127.0.0.1 localhost\n")?;
    fs::create_dir_all(root.join("dev"))?;
    for (name, minor) in [("random", "8"), ("urandom", "9")] {
        let device = root.join("dev").join(name);
        let mut mknod = process::at_root("mknod");
        if !device.exists() && !process::succeeds(mknod.arg(&device).args(["c", "1", minor])) {
            output::skipped("the program was NOT run in a root of its own: mknod failed there");
            return Ok(false);
        }
    }
    Ok(true)
}

/// A program in another root.
fn chroot(root: &Path, program: &str) -> Command {
    let mut command = Command::new("chroot");
    command.arg(root).arg(program);
    command
}

/// Checks that a program says its version, and serves: that a second one finds it healthy by a name,
/// and adds a task.
fn answers(program: impl Fn() -> Command, data: &Path) -> anyhow::Result<()> {
    let version = process::read(program().arg("version"))?;
    ensure!(version.starts_with("octopoid "), "this is another version: {version}");
    let database = format!("sqlite:{}", data.join("answers.db").display());
    let mut serve = program();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--database", &database]);
    serve.stderr(Stdio::inherit());
    let server = testbed::Server::start(&mut serve, std::io::sink())?;
    let (_, port) = server.address.rsplit_once(':').context("an address has a port")?;
    let url = format!("http://localhost:{port}");
    for line in [&["health"][..], &["add", "Work", "--scope", "demo"]] {
        process::run(program().args(line).args(["--server", &url]).env("HOME", data))?;
    }
    Ok(())
}
