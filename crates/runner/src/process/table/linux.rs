//! The table of processes from `/proc`. See proc(5).

use std::{
    fs::{self, File},
    io::{self, Read},
};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal},
};

use super::{
    super::MARK,
    {Process, State, Table, pid_of},
};

pub(super) const TABLE: Table = Table { read, find, children, signal };

/// An environment has at most 32 pages for one variable and a quarter of the stack's limit for
/// all. What lies behind this many bytes is not searched.
const ENVIRONMENT_BYTES_MAX: u64 = 8 << 20;

/// A buffer that is larger than this is given back.
const BUFFER_KEPT_BYTES: usize = 64 << 10;

fn read(mark: &str) -> io::Result<Vec<Process>> {
    let variable = format!("{MARK}={mark}");
    let mut buffer = Vec::with_capacity(4_096);
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok()).and_then(pid_of);
        // A process that ends meanwhile is not there any more.
        if let Some(mut process) = pid.and_then(|pid| find_with(pid, &mut buffer)) {
            process.has_mark = process.state != State::Ended
                && has_variable(process.pid, variable.as_bytes(), &mut buffer);
            processes.push(process);
        }
    }
    Ok(processes)
}

fn find(pid: Pid) -> Option<Process> {
    find_with(pid, &mut Vec::new())
}

fn find_with(pid: Pid, buffer: &mut Vec<u8>) -> Option<Process> {
    read_file(pid, "stat", buffer).ok()?;
    parse(pid, buffer)
}

/// Parses the line of `stat`. The second field is the program's name in parentheses, and may have
/// blanks and parentheses in it.
fn parse(pid: Pid, line: &[u8]) -> Option<Process> {
    let name_start = line.iter().position(|byte| *byte == b'(')? + 1;
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&line[name_end + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    let threads: u32 = field(20)?.parse().ok()?;
    let state = match field(3)? {
        // The first thread has ended, and others work on.
        "Z" | "X" | "x" if threads > 1 => State::Running,
        "Z" | "X" | "x" => State::Ended,
        "T" | "t" => State::Stopped,
        _ => State::Running,
    };
    Some(Process {
        pid,
        parent: field(4)?.parse().ok()?,
        group: field(5)?.parse().ok()?,
        start_time: field(22)?.parse().ok()?,
        state,
        name: String::from_utf8_lossy(line.get(name_start..name_end)?).into_owned(),
        has_mark: false,
    })
}

/// Whether the environment with which the process was started has the variable. That of another
/// user's process cannot be read.
fn has_variable(pid: Pid, variable: &[u8], buffer: &mut Vec<u8>) -> bool {
    let is_read = read_file(pid, "environ", buffer).is_ok();
    let found = is_read && buffer.split(|byte| *byte == 0).any(|entry| entry == variable);
    buffer.clear();
    buffer.shrink_to(BUFFER_KEPT_BYTES);
    found
}

fn read_file(pid: Pid, name: &str, buffer: &mut Vec<u8>) -> io::Result<usize> {
    buffer.clear();
    let file = File::open(format!("/proc/{}/{name}", pid.as_raw_pid()))?;
    file.take(ENVIRONMENT_BYTES_MAX).read_to_end(buffer)
}

/// Each thread has a list of its children. A kernel may be built without it.
fn children() -> Vec<Pid> {
    let mut children = Vec::new();
    for thread in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let listed = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        let number = |word: &str| word.parse().ok().and_then(pid_of);
        children.extend(listed.split_ascii_whitespace().filter_map(number));
    }
    children
}

/// The descriptor holds on to the process, so that the comparison of the start times holds until
/// the signal is sent.
fn signal(process: &Process, signal: Signal) -> rustix::io::Result<()> {
    let descriptor = match pidfd_open(process.pid, PidfdFlags::empty()) {
        Ok(descriptor) => Some(descriptor),
        // An old kernel, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM | Errno::ACCESS) => None,
        Err(error) => return Err(error),
    };
    if find(process.pid).is_none_or(|found| found.start_time != process.start_time) {
        return Err(Errno::SRCH);
    }
    match descriptor {
        Some(descriptor) => pidfd_send_signal(descriptor, signal),
        None => kill_process(process.pid, signal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(name: &str, state: char, threads: u32) -> String {
        format!(
            "42 ({name}) {state} 7 40 39 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 {threads} 0 9876 1 2 3"
        )
    }

    #[test]
    fn the_name_of_a_program_may_look_like_other_fields() {
        let pid = Pid::from_raw(42).unwrap();
        for name in ["sh", "a) S 1 1 (b", "", ") Z 0", "two words\n"] {
            let process = parse(pid, stat(name, 'S', 1).as_bytes()).unwrap();
            let expected = Process {
                pid,
                parent: 7,
                group: 40,
                start_time: 9_876,
                state: State::Running,
                name: name.to_owned(),
                has_mark: false,
            };
            assert_eq!(process, expected, "{name}");
        }
        assert_eq!(parse(pid, b"42 (sh) S 7"), None);
        assert_eq!(parse(pid, b""), None);
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_works_on() {
        let state = |state, threads| {
            let line = stat("sh", state, threads);
            parse(Pid::INIT, line.as_bytes()).unwrap().state
        };
        assert_eq!(state('Z', 1), State::Ended);
        assert_eq!(state('Z', 2), State::Running);
        assert_eq!(state('T', 1), State::Stopped);
        assert_eq!(state('D', 1), State::Running);
    }
}
