//! Where PostgreSQL's own programs are.

use std::{
    cmp::Reverse,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The oldest major version that a cluster is made with.
const MAJOR_MIN: u32 = 13;

/// What a cluster is made of. A package with clients only has none of them.
const NEEDED: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Folders below which each installed version has a folder of its own, and how that one begins.
/// Debian, Red Hat and Homebrew put none of these on the PATH.
const HOMES: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
];

/// The folder with the programs of one installed PostgreSQL server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
}

impl Binaries {
    /// Looks for a server on the PATH, then where packages put it, the newest version first.
    pub fn find() -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut directories: Vec<_> = env::split_paths(&path).collect();
        directories.extend(HOMES.into_iter().flat_map(|(home, prefix)| below(home, prefix)));
        directories
            .iter()
            .filter_map(|directory| Self::at(directory))
            .find(Self::can_make_a_cluster)
    }

    /// Follows a link on the PATH to the folder that has all of the programs.
    fn at(directory: &Path) -> Option<Self> {
        let postgres = directory.join("postgres").canonicalize().ok()?;
        Some(Self { directory: postgres.parent()?.to_owned() })
    }

    /// The path of one of the programs, such as `psql`, which comes with every server.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn can_make_a_cluster(&self) -> bool {
        NEEDED.iter().all(|name| self.program(name).is_file())
            && self.major().is_some_and(|major| major >= MAJOR_MIN)
    }

    fn major(&self) -> Option<u32> {
        let output = Command::new(self.program("postgres")).arg("--version").output().ok()?;
        major(&String::from_utf8_lossy(&output.stdout))
    }
}

/// The folders with programs in a home of versions, the newest first.
fn below(home: &str, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(home)).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort_by_key(|(version, _)| Reverse(*version));
    found.into_iter().map(|(_, directory)| directory).collect()
}

/// The major version in an answer such as `postgres (PostgreSQL) 15.20 (Debian 15.20-0)`. What
/// comes before a release, such as `19beta1`, is not taken.
fn major(answer: &str) -> Option<u32> {
    let (_, version) = answer.split_once("(PostgreSQL) ")?;
    version.split(['.', ' ', '\n']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_the_program_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18\n"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n"), None);
        assert_eq!(major("something else"), None);
    }

    #[test]
    fn a_link_leads_to_the_folder_with_all_programs() {
        let [home, path] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let program = home.path().join("postgres");
        fs::write(&program, "").unwrap();
        std::os::unix::fs::symlink(&program, path.path().join("postgres")).unwrap();
        assert_eq!(Binaries::at(path.path()), Binaries::at(home.path()));
        assert_eq!(Binaries::at(&home.path().join("none")), None);
    }

    #[test]
    fn the_newest_version_comes_first_and_numbers_are_compared_as_numbers() {
        let home = tempfile::tempdir().unwrap();
        for version in ["9", "16", "13", "lost+found"] {
            fs::create_dir(home.path().join(version)).unwrap();
        }
        let expected = ["16", "13", "9"].map(|version| home.path().join(version).join("bin"));
        assert_eq!(below(home.path().to_str().unwrap(), ""), expected);
    }
}
