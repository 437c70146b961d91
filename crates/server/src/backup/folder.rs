//! The files in a folder of backups: their names, the lock, and which are deleted.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{Offset, TimeZone},
};
use octopoid_domain::Millis;
use octopoid_store_sqlite::{beside, folder_of};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

/// How the names of scheduled backups end, and of those whose names are not given.
const ENDING: &str = ".db.zst";
/// How names of all backups end.
pub(super) const COMPRESSED: &str = ".zst";
/// What stands between the name of a database and a schema version in the name of a snapshot.
const BEFORE: &str = ".before-v";
/// Endings of files that are not complete.
pub(super) const COPY: &str = ".copy";
pub(super) const PARTIAL: &str = ".partial";
/// Files that SQLite makes beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The form of the time in a name, always in UTC.
const STAMP: &str = "%Y%m%dT%H%M%SZ";
const STAMP_LENGTH: usize = 16;

/// The name of a backup: `octopoid-20261126T231500Z.db.zst`. Later ones of the same second have a
/// number: `octopoid-20261126T231500Z-2.db.zst`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// The name of the database's file, without its extension.
    pub(super) stem: String,
    /// The time, in whole seconds.
    pub(super) at: Millis,
    number: u32,
}

impl Name {
    /// The name of the first backup of this second.
    pub(super) fn new(database: &Path, at: Millis) -> Self {
        Self { stem: stem(database), at: Millis(at.0 - at.0.rem_euclid(1000)), number: 1 }
    }

    /// The next name of the same second.
    fn next(self) -> Self {
        Self { number: self.number + 1, ..self }
    }

    pub(super) fn text(&self) -> String {
        let time = Timestamp::from_millisecond(self.at.0).unwrap_or_default();
        let time = time.to_zoned(TimeZone::UTC).strftime(STAMP);
        let stem = &self.stem;
        match self.number {
            1 => format!("{stem}-{time}{ENDING}"),
            number => format!("{stem}-{time}-{number}{ENDING}"),
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let whole = name.strip_suffix(ENDING)?;
        let (rest, number) = match whole.rsplit_once("Z-") {
            Some((rest, number)) => (&whole[..=rest.len()], number.parse().ok()?),
            None => (whole, 1),
        };
        let (stem, stamp) = rest.split_at_checked(rest.len().checked_sub(STAMP_LENGTH)?)?;
        let stem = stem.strip_suffix('-')?;
        let time = DateTime::strptime(STAMP, stamp).ok()?;
        let at = Offset::UTC.to_timestamp(time).ok()?.as_millisecond();
        let parsed = Self { stem: stem.to_owned(), at: Millis(at), number };
        (parsed.text() == name).then_some(parsed)
    }
}

/// The first part of the names of a database's backups.
pub(super) fn stem(database: &Path) -> String {
    database.file_stem().unwrap_or(database.as_os_str()).to_string_lossy().into_owned()
}

/// The name of the snapshot of a database before it is migrated to this version.
pub(super) fn snapshot_name(database: &Path, version: i64) -> String {
    let name = database.file_name().unwrap_or(database.as_os_str()).to_string_lossy();
    format!("{name}{BEFORE}{version}{COMPRESSED}")
}

fn is_snapshot_name(name: &str) -> bool {
    let rest = name.strip_suffix(COMPRESSED).and_then(|rest| rest.rsplit_once(BEFORE));
    rest.is_some_and(|(database, version)| !database.is_empty() && version.parse::<u32>().is_ok())
}

fn is_backup_name(name: &str) -> bool {
    Name::parse(name).is_some() || is_snapshot_name(name)
}

/// Whether this is what a backup that was killed has left. Only while the folder is locked.
fn is_leftover_name(name: &str) -> bool {
    let ended = BESIDE.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let whole = ended.strip_suffix(COPY).or_else(|| ended.strip_suffix(PARTIAL));
    whole.is_some_and(is_backup_name)
}

/// Creates a folder that only its owner may enter, unless it exists.
pub(super) fn create(folder: &Path) -> anyhow::Result<()> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.with_context(|| format!("cannot create the directory {}", folder.display()))
}

/// Locks the folder, so that one backup at a time is written there. The lock ends with the file.
/// `None` if the file system has no such locks, as some network file systems.
pub(super) fn lock(folder: &Path) -> anyhow::Result<Option<File>> {
    let shown = folder.display();
    let file = File::open(folder).with_context(|| format!("cannot open {shown}"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            bail!("another backup is being written to {shown}: wait until it is complete")
        }
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Deletes what backups that were killed have left. The folder is locked.
pub(super) fn delete_leftovers(folder: &Path) -> anyhow::Result<()> {
    for name in names(folder)?.iter().filter(|name| is_leftover_name(name)) {
        let path = folder.join(name);
        fs::remove_file(&path).with_context(|| format!("cannot delete {}", path.display()))?;
    }
    Ok(())
}

/// A name that no file of the locked folder has.
pub(super) fn free_name(folder: &Path, mut name: Name) -> PathBuf {
    loop {
        let path = folder.join(name.text());
        if !exists(&path) {
            return path;
        }
        name = name.next();
    }
}

/// The backups at a path: the file, or the files of a folder whose names are those of backups.
pub(super) fn backups(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = path.display();
    let metadata = path.metadata().with_context(|| format!("cannot open {shown}"))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let names = names(path)?.into_iter().filter(|name| is_backup_name(name));
    Ok(names.map(|name| path.join(name)).collect())
}

/// The backups of a database in a folder, except for snapshots, oldest first. A folder that does not
/// exist has none.
pub(super) fn backups_of(folder: &Path, database: &Path) -> anyhow::Result<Vec<Name>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let stem = stem(database);
    let parsed = names(folder)?.into_iter().filter_map(|name| Name::parse(&name));
    let mut found: Vec<_> = parsed.filter(|name| name.stem == stem).collect();
    found.sort();
    Ok(found)
}

/// Deletes all but the newest backups of a database, and returns those it has deleted. The one just
/// written is kept, as one of them. Names later than its own, which a clock that ran ahead has
/// given, count as the oldest.
pub(super) fn prune(
    folder: &Path,
    database: &Path,
    keep: usize,
    written: &Path,
) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = backups_of(folder, database)?;
    let position = found.iter().position(|name| folder.join(name.text()) == written);
    let written = position.map(|position| found.remove(position));
    found.sort_by_key(|name| written.as_ref().is_none_or(|written| name.at <= written.at));
    let others = keep.saturating_sub(usize::from(written.is_some()));
    found.truncate(found.len().saturating_sub(others));
    let mut deleted = Vec::new();
    for name in found {
        let path = folder.join(name.text());
        fs::remove_file(&path).with_context(|| format!("cannot delete {}", path.display()))?;
        deleted.push(path);
    }
    Ok(deleted)
}

/// The names of a folder's files, sorted. A name that is not UTF-8 is no backup's.
fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let read = || -> io::Result<Vec<_>> {
        let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(io::Result::transpose).collect()
    };
    let mut names = read().with_context(|| format!("cannot read {}", folder.display()))?;
    names.sort();
    Ok(names)
}

/// Whether there is anything at this path, even a link whose target does not exist.
pub(super) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The first of a database's files that exists.
pub(super) fn first_of_database(path: &Path) -> Option<PathBuf> {
    let files = [""].iter().chain(&BESIDE).map(|ending| beside(path, ending));
    files.into_iter().find(|file| exists(file))
}

/// Fails if less than this is free for new files in the folder.
pub(super) fn check_room(folder: &Path, bytes: u64) -> anyhow::Result<()> {
    let shown = folder.display();
    let disk = rustix::fs::statvfs(folder).with_context(|| format!("cannot look at {shown}"))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    ensure!(
        free >= bytes,
        "{shown} has {free} bytes of free disk space, and {bytes} are needed: free disk space, or \
         choose a directory on another disk"
    );
    Ok(())
}

/// A file that is not complete, which is deleted unless it is kept.
pub(super) struct Partial {
    pub(super) path: PathBuf,
    pub(super) file: File,
    is_kept: bool,
}

impl Partial {
    /// Creates an empty file that only its owner can read, in place of one that was left behind.
    pub(super) fn create(path: PathBuf) -> anyhow::Result<Self> {
        let created = || {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)
        };
        let file = created().with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file, is_kept: false })
    }

    /// Syncs the file, gives it a name that no file has, and syncs the folder.
    pub(super) fn keep(self, path: &Path) -> anyhow::Result<()> {
        self.name(path, rename_new)
    }

    /// The same with the name of a file that it replaces, if there is one.
    pub(super) fn replace(self, path: &Path) -> anyhow::Result<()> {
        self.name(path, |from, to| fs::rename(from, to))
    }

    fn name(
        mut self,
        path: &Path,
        rename: impl Fn(&Path, &Path) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let mut complete = || -> io::Result<()> {
            self.file.sync_all()?;
            rename(&self.path, path)?;
            self.is_kept = true;
            File::open(folder_of(path))?.sync_all()
        };
        complete().with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Renames a file unless there is one of the new name.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network file systems cannot do it in one step.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if !exists(to) => fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        for ending in [""].iter().chain(&BESIDE) {
            // What cannot be deleted is deleted by the next backup.
            let _ = fs::remove_file(beside(&self.path, ending));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use octopoid_domain::Millis;

    use super::{Name, backups, delete_leftovers, lock, prune, snapshot_name};

    const AT: Millis = Millis(1_795_734_900_789);

    #[test]
    fn a_name_has_the_database_and_the_second() {
        let name = Name::new(Path::new("/var/lib/octopoid.db"), AT);
        assert_eq!(name.text(), "octopoid-20261126T231500Z.db.zst");
        let third = name.clone().next().next();
        assert_eq!(third.text(), "octopoid-20261126T231500Z-3.db.zst");
        for name in [name, third, Name::new(Path::new("a-b.sqlite"), AT)] {
            assert_eq!(Name::parse(&name.text()), Some(name));
        }
    }

    #[test]
    fn other_names_are_not_those_of_backups() {
        for name in [
            "octopoid.db",
            "octopoid-20261126T231500Z.db",
            "octopoid-20261126T231500.db.zst",
            "octopoid-20261326T231500Z.db.zst",
            "octopoid-20261126T231500Z-1.db.zst",
            "octopoid-20261126T231500Z-02.db.zst",
            "octopoid-20261126T231500Z.db.zst.partial",
            "octopoid20261126T231500Z.db.zst",
            "é-261126T231500Z.db.zst",
            ".db.zst",
        ] {
            assert_eq!(Name::parse(name), None, "{name}");
        }
    }

    #[test]
    fn only_old_backups_of_the_database_are_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let of = |database: &str, second: i64| {
            Name::new(Path::new(database), Millis(AT.0 + second * 1000)).text()
        };
        let own: Vec<_> = (0..4).map(|second| of("a.db", second)).collect();
        let last = Name::new(Path::new("a.db"), Millis(AT.0 + 3000)).next().text();
        let snapshot = snapshot_name(Path::new("a.db"), 5);
        let others = [of("b.db", 0), of("a-b.db", 0), snapshot, "a.db".into(), "x.zst".into()];
        for name in own.iter().chain(&others).chain([&last]) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let prune = || prune(folder.path(), Path::new("a.db"), 2, &folder.path().join(&last));
        let deleted = prune().unwrap();
        let expected: Vec<_> = own[..3].iter().map(|name| folder.path().join(name)).collect();
        assert_eq!(deleted, expected);
        for name in others.iter().chain([&own[3], &last]) {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        assert_eq!(prune().unwrap().len(), 0);
        assert_eq!(backups(folder.path()).unwrap().len(), 5);
    }

    #[test]
    fn backups_from_the_future_are_deleted_before_the_one_just_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |second: i64| {
            let name = Name::new(Path::new("a.db"), Millis(AT.0 + second * 1000));
            folder.path().join(name.text())
        };
        for second in [0, 1, 500, 600] {
            fs::write(path(second), "").unwrap();
        }
        let prune = |keep| prune(folder.path(), Path::new("a.db"), keep, &path(1)).unwrap();
        assert_eq!(prune(3), [path(500)]);
        assert_eq!(prune(1), [path(600), path(0)]);
        assert!(path(1).exists());
    }

    #[test]
    fn what_killed_backups_left_is_deleted_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::new(Path::new("a.db"), AT).text();
        let snapshot = snapshot_name(Path::new("a.db"), 5);
        let left = [".partial", ".copy", ".copy-wal", ".copy-shm", ".copy-journal"];
        let kept = [name.clone(), snapshot.clone(), "b.copy".into(), "c.partial".into()];
        let gone: Vec<_> = left.iter().map(|ending| format!("{name}{ending}")).collect();
        let gone = gone.into_iter().chain([format!("{snapshot}.copy")]).collect::<Vec<_>>();
        for name in kept.iter().chain(&gone) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        delete_leftovers(folder.path()).unwrap();
        assert!(kept.iter().all(|name| folder.path().join(name).exists()));
        assert!(!gone.iter().any(|name| folder.path().join(name).exists()));
    }

    #[test]
    fn one_backup_at_a_time_is_written_to_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        assert!(held.is_some());
        let error = lock(folder.path()).unwrap_err().to_string();
        assert!(error.contains("wait until it is complete"), "{error}");
        drop(held);
        lock(folder.path()).unwrap();
    }
}
