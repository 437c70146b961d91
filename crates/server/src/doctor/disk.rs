//! The files of an SQLite database, and the disk that they are on.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use octopoid_store_sqlite::{beside, folder_of};

use super::{Finding, Subject};

const MIB: u64 = 1024 * 1024;

/// Less free space than this is a problem, in bytes.
const FREE_MIN: u64 = 64 * MIB;
/// Less free space than this is worth a warning, in bytes.
const FREE_USUAL: u64 = 1024 * MIB;

/// The bits of a mode by which users other than owner and group may read or write.
const FOR_OTHERS: u32 = 0o006;

/// The path of a database without symbolic links, and its directory, if that exists.
fn place(subject: &Subject<'_>) -> Option<(PathBuf, PathBuf)> {
    let path = subject.file()?;
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = folder_of(&path).to_owned();
    folder.is_dir().then_some((path, folder))
}

/// Checks the free space beside the database.
pub(super) fn check_space(subject: &Subject<'_>) -> Vec<Finding> {
    const NAME: &str = "disk space";
    let Some((path, folder)) = place(subject) else { return Vec::new() };
    let size = path.metadata().map_or(0, |file| file.len());
    match rustix::fs::statvfs(&folder) {
        Ok(disk) => vec![judge_space(disk.f_bavail.saturating_mul(disk.f_frsize), size)],
        Err(error) => {
            let text = format!("the free space of {} is unknown: {error}", folder.display());
            vec![Finding::warning(NAME, text, "check it with df")]
        }
    }
}

/// Judges the free bytes beside a database of this size.
fn judge_space(free: u64, size: u64) -> Finding {
    const NAME: &str = "disk space";
    let text = format!("{} MiB are free; the database has {} MiB", free / MIB, size / MIB);
    if free < FREE_MIN {
        return Finding::problem(NAME, text, "free some: without it, writes fail with 503");
    }
    if free < FREE_USUAL.max(size) {
        let remedy = "free some: keep 1 GiB, and room for a copy of the database";
        return Finding::warning(NAME, text, remedy);
    }
    Finding::ok(NAME, text)
}

/// Checks that other users cannot read the database.
pub(super) fn check_modes(subject: &Subject<'_>) -> Vec<Finding> {
    const NAME: &str = "file modes";
    let Some((path, _)) = place(subject).filter(|(path, _)| path.exists()) else {
        return Vec::new();
    };
    let files = ["", "-wal", "-shm"].map(|ending| beside(&path, ending));
    let open: Vec<_> = files
        .iter()
        .filter(|file| file.metadata().is_ok_and(|file| file.mode() & FOR_OTHERS != 0))
        .map(|file| file.display().to_string())
        .collect();
    if open.is_empty() {
        return vec![Finding::ok(NAME, "other users cannot read the database")];
    }
    let files = open.join(" ");
    let text = format!("other users can read or write {files}");
    vec![Finding::warning(NAME, text, format!("chmod o-rw {files}"))]
}

/// Checks that the database is on a local file system.
pub(super) fn check_file_system(subject: &Subject<'_>) -> Vec<Finding> {
    const NAME: &str = "file system";
    let Some((_, folder)) = place(subject) else { return Vec::new() };
    let Some(network) = kind(&folder).map(network_name) else { return Vec::new() };
    vec![match network {
        None => Finding::ok(NAME, "is local"),
        Some(name) => Finding::warning(
            NAME,
            format!("{} is on {name}, a network file system", folder.display()),
            "move the database to a local disk: the WAL needs its locks and shared memory",
        ),
    }]
}

/// The kind of the file system, as Linux numbers them.
#[cfg(target_os = "linux")]
fn kind(folder: &Path) -> Option<u64> {
    // The numbers have 32 bits, whose highest some systems take for a sign.
    let system = rustix::fs::statfs(folder).ok()?;
    Some(u64::try_from(system.f_type & 0xFFFF_FFFF).unwrap_or_default())
}

/// Other systems have no such numbers.
#[cfg(not(target_os = "linux"))]
fn kind(_: &Path) -> Option<u64> {
    None
}

/// The name of a network file system with this number.
fn network_name(kind: u64) -> Option<&'static str> {
    Some(match kind {
        0x6969 => "NFS",
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x0102_1997 => "9P",
        0x00C3_6400 => "Ceph",
        0x0BD0_0BD0 => "Lustre",
        0x5346_414F => "AFS",
        0x0116_1970 => "GFS2",
        0x7461_636F => "OCFS2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{FREE_MIN, FREE_USUAL, judge_space, network_name};
    use crate::doctor::State;

    #[test]
    fn free_space_has_room_for_work_and_for_a_copy() {
        for (free, size, expected) in [
            (FREE_MIN - 1, 0, State::Problem),
            (FREE_MIN, 0, State::Warning),
            (FREE_USUAL - 1, 0, State::Warning),
            (FREE_USUAL, 0, State::Ok),
            (FREE_USUAL, FREE_USUAL, State::Ok),
            (FREE_USUAL, FREE_USUAL + 1, State::Warning),
        ] {
            assert_eq!(judge_space(free, size).state, expected, "{free} beside {size}");
        }
    }

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        assert_eq!(network_name(0x6969), Some("NFS"));
        assert_eq!(network_name(0xFF53_4D42), Some("SMB"));
        // ext4, tmpfs, overlayfs.
        for local in [0xEF53, 0x0102_1994, 0x794C_7630] {
            assert_eq!(network_name(local), None, "{local:x}");
        }
    }
}
