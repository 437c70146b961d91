//! What is written, what is refused, and when a backup is due.

use std::{
    fs,
    io::{Seek as _, SeekFrom, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use octopoid_domain::Millis;
use octopoid_store::Store;
use octopoid_store_sqlite::{Location, Sqlite, beside, snapshot::StopFlag};
use tempfile::TempDir;

use crate::UrlOption;

use super::{
    Backup, BackupStatus, Schedule,
    create::{Place, create},
    file::{self, check_sum, read_manifest, unpack},
    folder, list, restore, verify,
};

/// A folder with a database that has no tasks, and a backup of it.
struct Site {
    folder: TempDir,
    backup: Backup,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("octopoid.db");
        migrate(&database);
        let backups = Place::Folder(folder.path().join("new/backups"));
        let backup = create(&database, &backups, &StopFlag::default()).unwrap();
        Self { folder, backup }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is wrong with a backup of these bytes, if it is not restored.
    fn problem(&self, bytes: &[u8]) -> Option<String> {
        let path = self.path("tried.zst");
        fs::write(&path, bytes).unwrap();
        let mut file = fs::File::open(&path).unwrap();
        let read = read_manifest(&mut file);
        let checked = read.and_then(|manifest| check_sum(&mut file, &manifest));
        checked.err().map(|error| format!("{error:#}"))
    }
}

fn migrate(database: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let engine = Sqlite::open(&Location::File(database.to_owned())).unwrap();
    runtime.block_on(Store::new(Arc::new(engine)).migrate(Millis(0))).unwrap();
}

fn option(path: &Path) -> UrlOption {
    UrlOption::of(&format!("sqlite:{}", path.display()))
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn error<T>(outcome: anyhow::Result<T>) -> String {
    format!("{:#}", outcome.err().expect("it is refused"))
}

#[test]
fn a_backup_is_one_private_file_that_other_tools_can_decompress() {
    let site = Site::new();
    let backups = site.path("new/backups");
    assert_eq!(fs::read_dir(&backups).unwrap().count(), 1, "nothing else is left");
    assert_eq!((mode(&site.backup.file), mode(&backups)), (0o600, 0o700));
    let mut database = Vec::new();
    let compressed = fs::File::open(&site.backup.file).unwrap();
    zstd::stream::copy_decode(compressed, &mut database).unwrap();
    let restored = site.path("restored.db");
    let manifest = restore(&site.backup.file, &option(&restored)).unwrap().manifest.unwrap();
    assert_eq!(mode(&restored), 0o600);
    assert_eq!(fs::read(&restored).unwrap(), database);
    assert_eq!(manifest.database_bytes, database.len() as u64);
    assert_eq!(manifest, site.backup.manifest.unwrap());
    assert_eq!((manifest.last_event, manifest.tasks.len()), (0, 0));
    migrate(&restored);
}

#[test]
fn a_change_of_any_byte_is_noticed() {
    let site = Site::new();
    let intact = fs::read(&site.backup.file).unwrap();
    assert_eq!(site.problem(&intact), None);
    let end = intact.len() - 600;
    for at in (0..end).step_by(37).chain(end..intact.len()) {
        let mut changed = intact.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(site.problem(&changed).is_some(), "byte {at} of {}", intact.len());
    }
}

#[test]
fn a_file_that_was_cut_short_or_grew_is_refused() {
    let site = Site::new();
    let intact = fs::read(&site.backup.file).unwrap();
    for length in (0..intact.len()).step_by(101).chain([intact.len() - 1]) {
        let problem = site.problem(&intact[..length]).unwrap();
        assert!(problem.contains("it is incomplete"), "{length}: {problem}");
    }
    let grown = [b"more", &intact[..]].concat();
    assert!(site.problem(&grown).unwrap().contains("something was added"));
    assert!(site.problem(&[&intact[..], b"more"].concat()).is_some());
}

#[test]
fn a_backup_of_a_newer_format_needs_a_newer_program() {
    let site = Site::new();
    let mut database = fs::File::open(site.path("octopoid.db")).unwrap();
    let path = site.path("newer.zst");
    let mut to = fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    let known = site.backup.manifest.clone().unwrap();
    file::write(&mut database, &mut to, known, &StopFlag::default()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let format = bytes.windows(10).position(|bytes| bytes == b"\"format\":1").unwrap();
    // The description's own checksum is made again.
    let foot = bytes.len() - 44;
    let mut newer = bytes.clone();
    newer[format + 9] = b'2';
    let json = newer[format - 1..foot].to_vec();
    let sum = <sha2::Sha256 as sha2::Digest>::digest(&json);
    newer[foot..foot + 32].copy_from_slice(&sum);
    let problem = site.problem(&newer).unwrap();
    assert!(problem.contains("format 2") && problem.contains("use a newer program"), "{problem}");
}

#[test]
fn data_that_is_not_what_its_description_says_is_not_restored() {
    let site = Site::new();
    let mut known = site.backup.manifest.clone().unwrap();
    known.last_event = 5;
    for (number, content) in
        [&fs::read(site.path("octopoid.db")).unwrap()[..], b"no database"].into_iter().enumerate()
    {
        let mut from = tempfile::tempfile().unwrap();
        from.write_all(content).unwrap();
        from.seek(SeekFrom::Start(0)).unwrap();
        let path = site.path(&format!("{number}.zst"));
        let mut to = fs::File::create_new(&path).unwrap();
        file::write(&mut from, &mut to, known.clone(), &StopFlag::default()).unwrap();
        // The checksum is right.
        assert_eq!(list(&path).unwrap()[0].problem, None);
        assert!(verify(&path).unwrap()[0].problem.is_some());
        let target = site.path("restored.db");
        let why = error(restore(&path, &option(&target)));
        let expected = ["is not the one that is described", "damaged"][number];
        assert!(why.contains(expected), "{why}");
        let left = fs::read_dir(site.folder.path()).unwrap();
        let left = left.filter(|entry| {
            entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("restored")
        });
        assert_eq!(left.count(), 0, "something is left");
    }
}

#[test]
fn a_larger_database_than_described_is_not_unpacked() {
    let site = Site::new();
    let mut file = fs::File::open(&site.backup.file).unwrap();
    let mut manifest = read_manifest(&mut file).unwrap();
    manifest.database_bytes -= 1;
    let mut to = tempfile::tempfile().unwrap();
    let why = error(unpack(&mut file, &manifest, &mut to));
    assert!(why.contains("or more, and not"), "{why}");
}

#[test]
fn nothing_is_overwritten() {
    let site = Site::new();
    for name in ["octopoid.db", "a.db-wal", "b.db-shm", "c.db-journal"] {
        let path = site.path(name);
        if name != "octopoid.db" {
            fs::write(&path, "").unwrap();
        }
        let before = fs::read(&path).unwrap();
        let database = site.path(name.split('-').next().unwrap());
        let why = error(restore(&site.backup.file, &option(&database)));
        assert!(why.contains(&format!("{} exists", path.display())), "{why}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    let link = site.path("link.db");
    std::os::unix::fs::symlink(site.path("none.db"), &link).unwrap();
    assert!(error(restore(&site.backup.file, &option(&link))).contains("exists"));
    let file = site.path("taken.zst");
    fs::write(&file, "").unwrap();
    let why = error(super::create(&option(&site.path("octopoid.db")), &file));
    assert!(why.contains("taken.zst exists: choose another name"), "{why}");
    assert_eq!(fs::read(&file).unwrap(), b"");
}

#[test]
fn a_path_that_a_server_has_open_is_not_restored_to() {
    let site = Site::new();
    let path = site.path("deleted.db");
    let engine = Sqlite::open(&Location::File(path.clone())).unwrap();
    for ending in ["", "-wal", "-shm"] {
        fs::remove_file(beside(&path, ending)).unwrap();
    }
    let why = error(restore(&site.backup.file, &option(&path)));
    assert!(why.contains("is in use by another server"), "{why}");
    assert!(!path.exists());
    drop(engine);
}

#[test]
fn what_is_no_file_of_this_program_is_not_backed_up() {
    let site = Site::new();
    let refuses = |url: &str, why: &str| {
        let database = UrlOption::of(url);
        let refused = error(super::create(&database, &site.path("out")));
        assert!(refused.contains(why), "{url}: {refused}");
    };
    for (url, why) in [
        ("postgres://a:b@c/d", "use pg_dump, see docs/operations.md#backups"),
        ("sqlite::memory:", "a database in memory has no backups"),
    ] {
        refuses(url, why);
        let database = UrlOption::of(url);
        let why_not = error(restore(&site.backup.file, &database));
        assert!(why_not.contains(why), "{url}: {why_not}");
    }
    let (none, empty, text) = (site.path("none.db"), site.path("empty.db"), site.path("text.db"));
    fs::write(&empty, "").unwrap();
    fs::write(&text, "text".repeat(2000)).unwrap();
    refuses(&format!("sqlite:{}", none.display()), "No such file");
    refuses(&format!("sqlite:{}", empty.display()), "there is nothing to back up");
    refuses(&format!("sqlite:{}", text.display()), "file is not a database");
    assert!(!none.exists());
    assert_eq!(fs::read_dir(site.path("out")).unwrap().count(), 0, "something is left");
}

#[test]
fn a_disk_without_room_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    folder::check_room(folder.path(), 1).unwrap();
    let why = error(folder::check_room(folder.path(), u64::MAX));
    assert!(why.contains("free disk space, or choose a directory on another disk"), "{why}");
}

#[test]
fn a_folder_without_backups_is_empty_for_a_list_and_wrong_for_a_check() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("other.zst"), "").unwrap();
    assert!(list(folder.path()).unwrap().is_empty());
    assert!(error(verify(folder.path())).contains("there is no backup in"));
    assert!(error(list(&folder.path().join("none"))).contains("cannot open"));
}

#[test]
fn a_backup_is_due_a_period_after_the_last_one() {
    let schedule = Schedule {
        database: "a.db".into(),
        folder: "none".into(),
        every: Duration::from_mins(1),
        keep: 1,
    };
    let status = BackupStatus::default();
    let due = |now| schedule.due_in(&status, Millis(now));
    assert_eq!(due(1_000_000), 0, "there is none");
    status.succeeded(Millis(1_000_000), 1, 1.0);
    assert_eq!((due(1_000_000), due(1_060_000)), (60_000, 0));
    assert!(due(2_000_000) <= 0);
    assert_eq!(due(999_999), 0, "the clock was set back");
    status.failed(Millis(1_030_000));
    assert_eq!(due(1_030_000), 30_000);
    let state = status.get();
    assert_eq!(state.last_success_at, Some(Millis(1_000_000)));
    assert_eq!(state.last_failure_at, Some(Millis(1_030_000)));
    assert_eq!((state.bytes, state.duration_seconds), (Some(1), Some(1.0)));
}

#[test]
fn the_newest_backup_of_the_database_is_known_at_start() {
    let site = Site::new();
    let schedule = |database: &str| Schedule {
        database: site.path(database),
        folder: site.path("new/backups"),
        every: Duration::from_hours(1),
        keep: 1,
    };
    let found = |database: &str| {
        let status = BackupStatus::default();
        schedule(database).find_newest(&status).unwrap();
        status.get()
    };
    let at = site.backup.manifest.as_ref().unwrap().created_at;
    let own = found("octopoid.db");
    assert_eq!(own.last_success_at.map(|at| at.0), Some(at.0 - at.0 % 1000));
    assert_eq!(own.bytes, Some(site.backup.bytes));
    assert_eq!(found("other.db"), super::BackupState::default());
    // A backup from the future does not count.
    let future = folder::Name::new(&site.path("octopoid.db"), Millis(at.0 + 86_400_000));
    fs::write(site.path("new/backups").join(future.text()), "").unwrap();
    assert_eq!(found("octopoid.db"), own);
}
