//! The limit of open files. Each connection is an open file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files reserved for other purposes than client connections, mainly the database.
const OTHER_FILES: u64 = 128;

/// The maximum number of connections, at most `wanted`. Raises the soft limit of open files
/// to the hard limit.
pub(crate) fn connections_max(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    // If it cannot be raised, the server accepts fewer connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let files = getrlimit(Resource::Nofile).current;
    let connections = fitting(wanted, files);
    if connections < wanted {
        tracing::warn!(
            files,
            connections,
            "the limit of open files allows only {connections} connections"
        );
    }
    connections
}

/// `wanted`, or fewer if the limit of open files requires it. `None` means unlimited.
fn fitting(wanted: usize, files: Option<u64>) -> usize {
    let Some(files) = files else {
        return wanted;
    };
    let left = files.saturating_sub(OTHER_FILES).max(files / 2).max(1);
    usize::try_from(left).map_or(wanted, |left| left.min(wanted))
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn there_are_no_more_connections_than_files() {
        for (files, connections) in [
            (None, 4096),
            (Some(u64::MAX), 4096),
            (Some(65_536), 4096),
            (Some(4224), 4096),
            (Some(4223), 4095),
            (Some(1024), 896),
            (Some(100), 50),
            (Some(0), 1),
        ] {
            assert_eq!(fitting(4096, files), connections, "{files:?}");
        }
    }
}
