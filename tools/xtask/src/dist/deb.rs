//! The package for Debian and its descendants.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::manual::SHELLS;
use super::{Contents, archive, sbom};
use crate::{output, process};

/// The files of the repository that are in it, and where.
const FILES: [(&str, &str); 6] = [
    ("deploy/systemd/octopoid.service", "usr/lib/systemd/system/octopoid.service"),
    ("deploy/systemd/octopoid.socket", "usr/lib/systemd/system/octopoid.socket"),
    ("deploy/systemd/server.env", "usr/share/octopoid/server.env"),
    ("deploy/monitoring/rules.yaml", "usr/share/octopoid/monitoring/rules.yaml"),
    ("deploy/monitoring/dashboard.json", "usr/share/octopoid/monitoring/dashboard.json"),
    ("docs/install.md", "usr/share/doc/octopoid/install.md"),
];

/// Where the completions for a shell are, in the order of [`SHELLS`].
const COMPLETIONS: [&str; 3] = [
    "usr/share/bash-completion/completions",
    "usr/share/zsh/vendor-completions",
    "usr/share/fish/vendor_completions.d",
];

/// Where this package is described, and what is run when it is installed and removed.
const DEBIAN: &str = "deploy/debian";
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Writes the package, if the machine has Debian's tool.
pub(super) fn build(contents: &Contents, out: &Path) -> anyhow::Result<()> {
    if !process::succeeds(process::at_root("dpkg-deb").arg("--version")) {
        let what = "the package for Debian needs dpkg-deb. Install dpkg.";
        return output::missing(octopoid_testbed::is_ci(), what);
    }
    let Contents { release, binary, root, scratch, .. } = contents;
    let folder = scratch.join("deb");
    fill(contents, &folder)?;
    let size = kibibytes(&folder)?;
    let version = release.debian_version();
    let control = fs::read_to_string(root.join(DEBIAN).join("control"))?
        .replace("@VERSION@", &version)
        .replace("@ARCHITECTURE@", binary.architecture.debian)
        .replace("@KIBIBYTES@", &size.to_string());
    super::write(&folder.join("DEBIAN/control"), control)?;
    for script in SCRIPTS {
        super::copy(&root.join(DEBIAN).join(script), &folder.join("DEBIAN").join(script))?;
    }
    let programs: Vec<_> = ["usr/bin/octopoid"].into_iter().chain(SCRIPTS).collect();
    archive::set_modes(&folder, &programs)?;
    let name = format!("octopoid_{version}_{}.deb", binary.architecture.debian);
    let mut dpkg = process::at_root("dpkg-deb");
    dpkg.args(["--root-owner-group", "-Zxz", "--build"]).arg(&folder).arg(out.join(name));
    process::run(dpkg.env("SOURCE_DATE_EPOCH", release.epoch.to_string()))
}

/// Puts the files of the package where they are to be installed.
fn fill(contents: &Contents, folder: &Path) -> anyhow::Result<()> {
    let Contents { release, binary, manual, root, .. } = contents;
    archive::strip(&binary.path, &folder.join("usr/bin/octopoid"))?;
    for (from, to) in FILES {
        super::copy(&root.join(from), &folder.join(to))?;
    }
    for page in manual.pages()? {
        let name = page.file_name().context("a page has a name")?.to_string_lossy().into_owned();
        let to = folder.join("usr/share/man/man1").join(format!("{name}.gz"));
        super::write(&to, archive::gzip(&fs::read(page)?)?)?;
    }
    for ((_, file), to) in SHELLS.iter().zip(COMPLETIONS) {
        super::copy(&manual.completions(file), &folder.join(to).join(file))?;
    }
    let about = folder.join("usr/share/doc/octopoid");
    let changes = archive::gzip(&fs::read(root.join("CHANGELOG.md"))?)?;
    super::write(&about.join("changelog.gz"), changes)?;
    let list = sbom::of(root, binary, release)?;
    super::write(&about.join("octopoid.cdx.json"), format!("{list:#}\n"))?;
    super::write(&about.join("copyright"), copyright(root)?)
}

/// The copyright, in the form that Debian asks for: its licence with each line indented.
fn copyright(root: &Path) -> anyhow::Result<String> {
    let head = fs::read_to_string(root.join(DEBIAN).join("copyright"))?;
    let licence = fs::read_to_string(root.join("LICENSE"))?;
    let is_holder = |line: &&str| line.starts_with("Copyright");
    let holder = licence.lines().find(is_holder).context("LICENSE names no holder")?;
    let lines =
        licence.lines().map(|line| if line.is_empty() { " .".into() } else { format!(" {line}") });
    let text: Vec<_> = lines.collect();
    let holder = holder.trim_start_matches("Copyright").trim();
    Ok(format!("{head}Copyright: {holder}\nLicense: MIT\n{}\n", text.join("\n")))
}

/// How much room the files of a folder need.
fn kibibytes(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let data = entry.metadata()?;
        sum += if data.is_dir() { kibibytes(&entry.path())? } else { data.len().div_ceil(1024) };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_in_the_package_exist() {
        let root = crate::paths::root();
        let scripts = SCRIPTS.map(|script| format!("{DEBIAN}/{script}"));
        let files = FILES.iter().map(|(file, _)| (*file).to_owned());
        for file in files.chain(scripts).chain([format!("{DEBIAN}/control")]) {
            assert!(root.join(&file).is_file(), "{file}");
        }
    }

    #[test]
    fn the_copyright_has_the_whole_licence() {
        let text = copyright(&crate::paths::root()).unwrap();
        assert!(text.contains("\nFiles: *\nCopyright: (c) "), "{text}");
        assert!(text.contains("\n .\n"), "{text}");
        assert!(
            text.lines()
                .all(|line| line.is_empty() || line.contains(": ") || line.starts_with(' '))
        );
    }
}
