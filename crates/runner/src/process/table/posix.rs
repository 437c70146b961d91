//! The table of processes from `ps`, for systems without `/proc`.
//!
//! It finds less than the other one. Orphans are not adopted by the guard there, so that what was
//! left behind by its parent is found by the mark and by process groups; and macOS does not show
//! the environment of the programs that belong to the system.

use std::{
    collections::HashSet,
    io,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    super::MARK,
    {Process, State, Table, pid_of},
};

pub(super) const TABLE: Table = Table { read, find, children: Vec::new, signal };

/// The place of `ps` on all systems. The variable `PATH` is that of the agent.
const PROGRAM: &str = "/bin/ps";

const COLUMNS: &str = "pid=,ppid=,pgid=,stat=,lstart=,ucomm=";

/// Shows the environment behind the command, in lines of any length.
#[cfg(not(target_os = "macos"))]
const ENVIRONMENTS: [&str; 3] = ["axeww", "-o", "pid=,command="];
#[cfg(target_os = "macos")]
const ENVIRONMENTS: [&str; 3] = ["-AEww", "-o", "pid=,command="];

fn read(mark: &str) -> io::Result<Vec<Process>> {
    let environments = output(&ENVIRONMENTS)?;
    let variable = format!("{MARK}={mark}");
    let is_marked = |line: &&str| line.split_ascii_whitespace().any(|word| word == variable);
    let number = |line: &str| line.split_ascii_whitespace().next()?.parse::<i32>().ok();
    let marked: HashSet<i32> =
        environments.text.lines().filter(is_marked).filter_map(number).collect();
    let listed = output(&["-A", "-o", COLUMNS])?;
    let mut processes: Vec<Process> = listed.text.lines().filter_map(parse).collect();
    for process in &mut processes {
        let pid = process.pid.as_raw_pid();
        process.has_mark = process.state != State::Ended && marked.contains(&pid);
    }
    // It lists itself.
    processes.retain(|process| process.pid.as_raw_pid().cast_unsigned() != listed.pid);
    Ok(processes)
}

fn find(pid: Pid) -> Option<Process> {
    let listed = output(&["-o", COLUMNS, "-p", &pid.as_raw_pid().to_string()]).ok()?;
    listed.text.lines().find_map(parse)
}

fn signal(process: &Process, signal: Signal) -> rustix::io::Result<()> {
    kill_process(process.pid, signal)
}

struct Listing {
    pid: u32,
    text: String,
}

fn output(arguments: &[&str]) -> io::Result<Listing> {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env("LC_ALL", "C").env("TZ", "UTC0");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let child = child.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot list processes by {PROGRAM}: {error}"))
    })?;
    let pid = child.id();
    let output = child.wait_with_output()?;
    // With `-p` of a process that has ended, it prints nothing and fails.
    if !output.status.success() && output.stdout.is_empty() {
        let arguments = arguments.join(" ");
        return Err(io::Error::other(format!("{PROGRAM} {arguments} failed: {}", output.status)));
    }
    Ok(Listing { pid, text: String::from_utf8_lossy(&output.stdout).into_owned() })
}

/// Parses a line such as `42 7 40 Ss Thu Nov 26 14:40:05 2026 sh`. The name may have blanks.
fn parse(line: &str) -> Option<Process> {
    let mut fields = line.split_ascii_whitespace();
    let mut number = || fields.next()?.parse::<i32>().ok();
    let (pid, parent, group) = (pid_of(number()?)?, number()?, number()?);
    let state = match fields.next()?.as_bytes().first()? {
        b'Z' | b'X' => State::Ended,
        b'T' | b't' => State::Stopped,
        _ => State::Running,
    };
    let (_, month, day) = (fields.next()?, fields.next()?, fields.next()?);
    let start_time = start_time(month, day, fields.next()?, fields.next()?)?;
    let name = fields.collect::<Vec<_>>().join(" ");
    Some(Process { pid, parent, group, start_time, state, name, has_mark: false })
}

/// The digits of the date and time as one number. A calendar is not needed to compare them.
fn start_time(month: &str, day: &str, time: &str, year: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = MONTHS.find(month)? / month.len() + 1;
    let [hour, minute, second] = time.split(':').collect::<Vec<_>>().try_into().ok()?;
    let mut number = year.parse::<u64>().ok()? * 100 + u64::try_from(month).ok()?;
    for part in [day, hour, minute, second] {
        number = number * 100 + part.parse::<u64>().ok()?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_ps_are_parsed() {
        let process = parse("   42     7    40 Ss+  Thu Nov  6 14:40:05 2026 a program").unwrap();
        let numbers = (process.pid.as_raw_pid(), process.parent, process.group);
        assert_eq!(numbers, (42, 7, 40));
        assert_eq!((process.start_time, process.state), (20_261_106_144_005, State::Running));
        assert_eq!(process.name, "a program");
        let state = |word: &str| {
            parse(&format!("1 0 1 {word} Fri Jan 16 00:00:00 2026 x")).map(|process| process.state)
        };
        assert_eq!(state("Z+"), Some(State::Ended));
        assert_eq!(state("T"), Some(State::Stopped));
        for line in ["", "42", "42 7 40 S", "x 7 40 S Thu Nov 6 14:40:05 2026 x"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn later_start_times_are_greater() {
        let of = |line: &str| {
            let [month, day, time] =
                line.split(' ').collect::<Vec<_>>().try_into().expect("three words");
            start_time(month, day, time, "2026").unwrap()
        };
        let times = ["Jan 31 23:59:59", "Feb 1 00:00:00", "Feb 1 00:00:01", "Dec 1 00:00:00"];
        assert!(times.map(of).is_sorted());
    }
}
