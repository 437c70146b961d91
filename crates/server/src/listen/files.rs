//! The limit of open files. Each connection is an open file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files reserved for other purposes than client connections, mainly the database.
const OTHER_FILES: u64 = 128;

/// The maximum numbers of connections and of event streams, at most as many as wanted. Raises the
/// soft limit of open files to the hard limit.
pub(crate) fn connections_max(connections: usize, streams: usize) -> (usize, usize) {
    let limit = getrlimit(Resource::Nofile);
    // If it cannot be raised, the server accepts fewer connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let files = getrlimit(Resource::Nofile).current;
    let fitting = fitting(connections, streams, files);
    if fitting != (connections, streams) {
        let (connections, streams) = fitting;
        tracing::warn!(
            files,
            connections,
            streams,
            "the limit of open files allows only {connections} connections and {streams} event \
             streams"
        );
    }
    fitting
}

/// As many as wanted, or fewer if the limit of open files requires it: then at most one in five is
/// a stream. `None` means unlimited.
fn fitting(connections: usize, streams: usize, files: Option<u64>) -> (usize, usize) {
    let Some(files) = files else {
        return (connections, streams);
    };
    let left = files.saturating_sub(OTHER_FILES).max(files / 2).max(1);
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    if left >= connections.saturating_add(streams) {
        return (connections, streams);
    }
    let streams = streams.min(left / 5);
    (connections.min(left - streams), streams)
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn there_are_no_more_connections_than_files() {
        for (files, expected) in [
            (None, (4096, 1000)),
            (Some(u64::MAX), (4096, 1000)),
            (Some(65_536), (4096, 1000)),
            (Some(5224), (4096, 1000)),
            (Some(5223), (4095, 1000)),
            (Some(4096), (3175, 793)),
            (Some(1024), (717, 179)),
            (Some(100), (40, 10)),
            (Some(0), (1, 0)),
        ] {
            assert_eq!(fitting(4096, 1000, files), expected, "{files:?}");
        }
    }
}
