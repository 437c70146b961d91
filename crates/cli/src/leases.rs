//! The leases that `task claim` was granted, kept for the commands that end them: a file for each,
//! which only its owner can read.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use octopoid_domain::Millis;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    failure::{Failure, Outcome},
    files::{remove, replace},
};

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    /// The address of the server that granted it.
    pub(crate) server: String,
    /// The scope of the task.
    pub(crate) scope: String,
    /// The task.
    pub(crate) task_id: String,
    /// The token, which stands for the lease.
    pub(crate) token: String,
    /// Whether it is for a review, which leaves the task in its queue.
    pub(crate) is_review: bool,
    /// When it ends unless it is renewed.
    pub(crate) expires_at: Option<Millis>,
}

/// So long, in milliseconds, a lease that has expired may still be meant: the task may be with its
/// holder all the same.
const EXPIRED_MS_MAX: i64 = 24 * 3_600_000;

impl Lease {
    /// Whether it expired too long ago for a command without an id to mean it.
    pub(crate) fn is_over(&self, now: Millis) -> bool {
        self.expires_at.is_some_and(|end| end.plus(EXPIRED_MS_MAX) < now)
    }
}

/// The leases of one server.
#[derive(Debug)]
pub(crate) struct Leases {
    folder: PathBuf,
    server: String,
}

impl Leases {
    /// The leases that this server has granted, kept below this folder.
    pub(crate) fn new(state: &Path, server: &str) -> Self {
        Self { folder: state.join("leases"), server: server.to_owned() }
    }

    /// Keeps a lease, in place of an earlier one on the same task.
    pub(crate) fn keep(&self, lease: &Lease) -> Outcome {
        let write = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let path = self.path(&lease.task_id);
            let new = path.with_extension("new");
            replace(&path, &new, &serde_json::to_string(lease)?, 0o600)
        };
        write().map_err(|error: io::Error| {
            let folder = self.folder.display();
            Failure::other(format!("cannot keep the lease token in {folder}: {error}"))
                .remedy(format!("the token, for OCTOPOID_LEASE_TOKEN: {}", lease.token))
        })
    }

    /// Notes that a lease which is kept ends later.
    pub(crate) fn extend(&self, task_id: &str, end: Millis) {
        if let Some(lease) = self.of(task_id) {
            // Without the note, the lease is at worst not meant although it lasts.
            let _ = self.keep(&Lease { expires_at: Some(end), ..lease });
        }
    }

    /// The lease on a task.
    pub(crate) fn of(&self, task_id: &str) -> Option<Lease> {
        let lease = read(&self.path(task_id))?;
        (lease.server == self.server && lease.task_id == task_id).then_some(lease)
    }

    /// All leases.
    pub(crate) fn all(&self) -> Vec<Lease> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        let files = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
        let leases = files.filter_map(|path| read(&path));
        leases.filter(|lease| lease.server == self.server).collect()
    }

    /// Forgets the lease on a task.
    pub(crate) fn forget(&self, task_id: &str) {
        // A lease that stays is refused by the server when it is used.
        let _ = remove(&self.path(task_id));
    }

    /// Ids may hold anything, so that files are named by a hash.
    fn path(&self, task_id: &str) -> PathBuf {
        let hash = Sha256::digest(format!("{}\n{task_id}", self.server));
        self.folder.join(format!("{}.json", hex::encode(&hash[..16])))
    }
}

fn read(path: &Path) -> Option<Lease> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use octopoid_domain::Millis;

    use super::{EXPIRED_MS_MAX, Lease, Leases};

    #[test]
    fn a_lease_is_kept_for_its_owner_until_it_is_forgotten() {
        let state = tempfile::tempdir().unwrap();
        let leases = Leases::new(&state.path().join("octopoid"), "http://a");
        assert_eq!((leases.of("t/1"), leases.all()), (None, Vec::new()));
        let lease = |token: &str| Lease {
            server: "http://a".to_owned(),
            scope: "s".to_owned(),
            task_id: "t/1".to_owned(),
            token: token.to_owned(),
            is_review: false,
            expires_at: Some(Millis(1)),
        };
        leases.keep(&lease("one")).unwrap();
        leases.keep(&lease("two")).unwrap();
        assert_eq!(leases.of("t/1"), Some(lease("two")));
        assert_eq!(leases.all(), [lease("two")]);
        assert!(!lease("two").is_over(Millis(1 + EXPIRED_MS_MAX)));
        assert!(lease("two").is_over(Millis(2 + EXPIRED_MS_MAX)));
        leases.extend("t/1", Millis(7));
        leases.extend("t/2", Millis(7));
        assert_eq!(leases.of("t/1").unwrap().expires_at, Some(Millis(7)));
        let mode = std::fs::metadata(leases.path("t/1")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let other = Leases::new(&state.path().join("octopoid"), "http://b");
        assert_eq!((other.of("t/1"), other.all()), (None, Vec::new()));
        leases.forget("t/1");
        leases.forget("t/1");
        assert_eq!(leases.all(), Vec::new());
    }
}
