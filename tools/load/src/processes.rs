//! Processes, and the processor time that they have used, as Linux counts it.

use std::{collections::HashMap, ffi::OsStr, fs};

use anyhow::Context as _;

/// What Linux counts in, on every machine it supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// What `/proc/<id>/stat` has about a process.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Process {
    parent: u32,
    /// The time of the process itself, and of children that have ended and were waited for.
    ticks: f64,
}

/// The processor time that a process has used so far, without children that still run, in seconds.
pub(crate) fn own_seconds(id: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let process = process(&stat).context("unknown form of a process's statistics")?;
    Ok(process.ticks / TICKS_PER_SECOND)
}

/// The processor time that these processes and everything below them have used so far, in seconds.
pub(crate) fn seconds(roots: &[u32]) -> anyhow::Result<f64> {
    Ok(ticks(&all()?, roots) / TICKS_PER_SECOND)
}

/// The processes that a process has started.
pub(crate) fn children(parent: u32) -> anyhow::Result<Vec<u32>> {
    let all = all()?.into_iter();
    Ok(all.filter(|(_, process)| process.parent == parent).map(|(id, _)| id).collect())
}

/// All processes by their ids.
fn all() -> anyhow::Result<HashMap<u32, Process>> {
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc").context("the system has no /proc")? {
        let path = entry?.path();
        let Some(id) = path.file_name().and_then(OsStr::to_str).and_then(|id| id.parse().ok())
        else {
            continue;
        };
        // A process may end meanwhile.
        let Ok(stat) = fs::read_to_string(path.join("stat")) else { continue };
        if let Some(process) = process(&stat) {
            all.insert(id, process);
        }
    }
    Ok(all)
}

fn process(stat: &str) -> Option<Process> {
    const PARENT: usize = 1;
    const TIMES: std::ops::Range<usize> = 11..15;
    // The process's name, in parentheses, may contain blanks.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let times = fields.get(TIMES)?.iter().map(|field| field.parse::<f64>());
    Some(Process {
        parent: fields.get(PARENT)?.parse().ok()?,
        ticks: times.sum::<Result<f64, _>>().ok()?,
    })
}

fn ticks(all: &HashMap<u32, Process>, roots: &[u32]) -> f64 {
    let belongs = |mut id: u32| loop {
        if roots.contains(&id) {
            return true;
        }
        match all.get(&id) {
            Some(process) if process.parent != id => id = process.parent,
            _ => return false,
        }
    };
    let own = all.iter().filter(|(id, _)| belongs(**id));
    own.map(|(_, process)| process.ticks).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_read_behind_a_name_with_blanks() {
        let stat = "12 (a (b) c) S 3 12 12 0 -1 4194560 5 0 0 0 10 20 30 40 20 0 1 0 99";
        assert_eq!(process(stat), Some(Process { parent: 3, ticks: 100.0 }));
        assert_eq!(process("12 (short) S 3"), None);
    }

    #[test]
    fn the_time_of_a_tree_includes_its_children_and_theirs_only() {
        let of = |parent, ticks| Process { parent, ticks };
        let all = HashMap::from([
            (1, of(0, 1.0)),
            (10, of(1, 2.0)),
            (11, of(10, 4.0)),
            (12, of(11, 8.0)),
            (20, of(1, 16.0)),
        ]);
        assert!((ticks(&all, &[10]) - 14.0).abs() < 1e-9);
        assert!((ticks(&all, &[11, 20]) - 28.0).abs() < 1e-9);
        assert!(ticks(&all, &[30]).abs() < 1e-9);
    }

    #[test]
    fn this_process_has_a_time() {
        assert!(seconds(&[std::process::id()]).is_ok_and(|seconds| seconds >= 0.0));
    }
}
