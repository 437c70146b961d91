//! Open files: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not connections of clients: the database's, above all.
const OTHER_FILES: u64 = 128;

/// How many connections there may be, at most `wanted`. Raises the number of files that the process
/// may open as far as the system lets it.
pub(crate) fn connections_max(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, there are just fewer connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let files = getrlimit(Resource::Nofile).current;
    let connections = fitting(wanted, files);
    if connections < wanted {
        tracing::warn!(
            files,
            connections,
            "the limit of open files leaves room for {connections} connections only"
        );
    }
    connections
}

/// `wanted`, or what a limit of open files leaves; `None` is no limit.
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
