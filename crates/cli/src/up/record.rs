//! The record of `octopoid up`: where it serves, and the scope and the keys of each repository.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    net::SocketAddr,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::folder::{Folder, open};
use crate::{
    failure::{Failure, Outcome},
    files::replace,
};

/// The file, which holds keys.
const FILE: &str = "up.json";

/// The longest scope that is made of a folder's name, in bytes.
const SCOPE_BYTES_MAX: usize = 64;

/// The scope of a repository whose name has nothing that a scope may have.
const SCOPE_DEFAULT: &str = "repository";

/// The contents of the file. There is no way to print it, because of the keys.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    /// The address of the server for this machine; none while it starts. It counts only while the
    /// lock of the process that serves is held.
    pub(crate) address: Option<String>,
    /// Where the server listens, for a process that takes its place.
    pub(crate) listen: Option<SocketAddr>,
    /// The administrator's token, which stays the same.
    pub(crate) administrator: Option<String>,
    /// What each repository has, by the path of its main work tree.
    pub(crate) repositories: BTreeMap<String, Member>,
}

/// What a repository has.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Member {
    /// Its scope.
    pub(crate) scope: String,
    /// The flow of tasks that are added in it.
    pub(crate) flow: String,
    /// The key for the command line, which may manage.
    pub(crate) manage_key: Option<String>,
    /// The key for the runner of agents, which may work.
    pub(crate) work_key: Option<String>,
}

impl Record {
    /// The scope of the repository with this path and folder name: the one that it has, else its
    /// name, with a hash of its path if another repository has that.
    pub(super) fn scope_of(&self, root: &str, name: &str) -> String {
        if let Some(member) = self.repositories.get(root) {
            return member.scope.clone();
        }
        let is_free = |scope: &String| self.repositories.values().all(|m| m.scope != *scope);
        let name = safe(name);
        let hash = hex::encode(Sha256::digest(root));
        let hashed = (8..hash.len()).step_by(8).map(|end| format!("{name}-{}", &hash[..end]));
        let mut candidates = std::iter::once(name.clone()).chain(hashed);
        candidates.find(is_free).unwrap_or_else(|| format!("{name}-{hash}"))
    }
}

/// A name of letters, digits, `.`, `_` and `-` of ASCII, which needs no quotes in a shell and is
/// the name of a file.
fn safe(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let mut safe = String::new();
    for c in name.chars() {
        match c {
            c if is_plain(c) => safe.push(c),
            // Several of them in a row are one.
            _ if safe.ends_with('-') => {}
            _ => safe.push('-'),
        }
    }
    safe.truncate(SCOPE_BYTES_MAX);
    match safe.trim_matches(['-', '.']) {
        "" => SCOPE_DEFAULT.to_owned(),
        safe => safe.to_owned(),
    }
}

impl Folder {
    /// Reads the record; one that does not exist is empty.
    pub(super) fn read(&self) -> Outcome<Record> {
        let path = self.file(FILE);
        let mut text = String::new();
        match open(&path, false).and_then(|mut file| file.read_to_string(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Record::default()),
            Err(error) => {
                return Err(Failure::other(format!("cannot read {}: {error}", path.display())));
            }
        }
        // The error is not shown, because it may quote a key.
        serde_json::from_str(&text).map_err(|error| {
            let line = error.line();
            Failure::other(format!("{}, line {line} makes no sense there", path.display())).remedy(
                "stop octopoid up and delete the file: the tasks stay, and new keys are made",
            )
        })
    }

    /// Changes the record. Only one process does so at a time.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Record) -> T) -> Outcome<T> {
        let cannot = |error: io::Error| {
            Failure::other(format!("cannot write {}: {error}", self.file(FILE).display()))
        };
        let _lock = self.lock_record().map_err(cannot)?;
        let before = self.read()?;
        let mut record = before.clone();
        let result = change(&mut record);
        if record != before {
            self.write(&record).map_err(cannot)?;
        }
        Ok(result)
    }

    /// Writes the record as a whole: a reader sees the old one or the new one.
    fn write(&self, record: &Record) -> io::Result<()> {
        let text = serde_json::to_string_pretty(record)? + "\n";
        replace(&self.file(FILE), &self.file("up.json.new"), &text, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::{Folder, Member, Record, safe};

    #[test]
    fn a_scope_is_the_name_of_the_folder_made_safe() {
        for (name, scope) in [
            ("parser", "parser"),
            ("My Repo (2)", "My-Repo-2"),
            ("über/größe", "ber-gr-e"),
            ("..", "repository"),
            ("日本", "repository"),
            (".config", "config"),
            ("a\nb\u{1b}", "a-b"),
        ] {
            assert_eq!(safe(name), scope, "{name:?}");
        }
        assert_eq!(safe(&"x".repeat(300)).len(), 64);
    }

    #[test]
    fn a_second_repository_of_a_name_has_a_hash_and_both_keep_their_scopes() {
        let mut record = Record::default();
        let mut join = |root: &str| {
            let scope = record.scope_of(root, "parser");
            let member = Member { scope: scope.clone(), ..Member::default() };
            record.repositories.insert(root.to_owned(), member);
            scope
        };
        assert_eq!(join("/a/parser"), "parser");
        let second = join("/b/parser");
        assert!(second.starts_with("parser-") && second.len() == 15, "{second}");
        assert_eq!((join("/a/parser"), join("/b/parser")), ("parser".to_owned(), second.clone()));
        // The name of a folder may be another one's hashed name.
        let third = join("/c/parser");
        assert!(third != second && third.len() == 15, "{third}");
    }

    #[test]
    fn the_record_is_kept_for_its_owner() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::at(home.path().to_owned());
        assert!(folder.read().unwrap() == Record::default());
        let token = Some("secret".to_owned());
        folder.change(|record| record.administrator.clone_from(&token)).unwrap();
        assert!(folder.read().unwrap().administrator == token);
        let path = home.path().join("up.json");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "{\n\"administrator\": secret}").unwrap();
        let failure = folder.read().err().unwrap();
        assert!(failure.text.ends_with("up.json, line 2 makes no sense there"), "{}", failure.text);
        assert!(!failure.lines().contains("secret"), "{}", failure.lines());
        assert!(folder.change(|_| ()).is_err(), "it is not overwritten");
    }
}
