//! The tarball: the program with its manual and units, to be put anywhere.

use std::path::Path;

use super::manual::SHELLS;
use super::{Contents, archive};

/// The files of the repository that are in it, and where.
const FILES: [(&str, &str); 9] = [
    ("LICENSE", "LICENSE"),
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("docs/install.md", "docs/install.md"),
    ("deploy/systemd/octopoid.service", "systemd/octopoid.service"),
    ("deploy/systemd/octopoid.socket", "systemd/octopoid.socket"),
    ("deploy/systemd/server.env", "systemd/server.env"),
    ("deploy/monitoring/rules.yaml", "monitoring/rules.yaml"),
    ("deploy/monitoring/dashboard.json", "monitoring/dashboard.json"),
];

/// Writes the tarball.
pub(super) fn build(contents: &Contents, out: &Path) -> anyhow::Result<()> {
    let Contents { release, binary, manual, root, scratch } = contents;
    let name = format!("octopoid-{}-{}-linux", release.version, binary.architecture.rust);
    let folder = scratch.join(&name);
    archive::strip(&binary.path, &folder.join("octopoid"))?;
    for (from, to) in FILES {
        super::copy(&root.join(from), &folder.join(to))?;
    }
    for page in manual.pages()? {
        super::copy(&page, &folder.join("man/man1").join(page.file_name().unwrap_or_default()))?;
    }
    for (_, file) in SHELLS {
        super::copy(&manual.completions(file), &folder.join("completions").join(file))?;
    }
    archive::set_modes(&folder, &["octopoid"])?;
    archive::tar(&folder, &out.join(format!("{name}.tar.gz")), release)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_in_the_tarball_exist() {
        for (file, _) in FILES {
            assert!(crate::paths::root().join(file).is_file(), "{file}");
        }
    }
}
