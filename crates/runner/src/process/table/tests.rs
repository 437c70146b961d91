//! The choice of a run's processes, and both tables on real ones.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::*;
use crate::process::{MARK, ending::Ending};

fn pid(number: i32) -> Pid {
    Pid::from_raw(number).unwrap()
}

/// A process of a group of its own.
fn process(number: i32, parent: i32) -> Process {
    Process {
        pid: pid(number),
        parent,
        group: number,
        start_time: 1,
        state: State::Running,
        name: String::new(),
        has_mark: false,
    }
}

fn selected(run: &Run<'_>, all: &[Process]) -> Vec<i32> {
    run.select(all, pid(5)).iter().map(|process| process.pid.as_raw_pid()).collect()
}

/// The system's first process 1, a terminal's shell 2, a runner 3, a guard 5, its command 6.
fn machine() -> Vec<Process> {
    [(1, 0), (2, 1), (3, 2), (5, 3), (6, 5)].map(|(pid, parent)| process(pid, parent)).into()
}

#[test]
fn descendants_of_the_guard_belong_to_the_run_in_any_order() {
    let mut all = machine();
    all.extend([process(40, 41), process(41, 6), process(50, 2), process(51, 50)]);
    let run = Run { mark: "", guard: Some(pid(5)), group: None };
    assert_eq!(selected(&run, &all), [6, 40, 41]);
    all.reverse();
    assert_eq!(selected(&run, &all), [41, 40, 6]);
}

#[test]
fn marked_processes_and_their_descendants_belong_to_the_run() {
    let mut all = machine();
    all.extend([Process { has_mark: true, ..process(60, 1) }, process(61, 60), process(62, 1)]);
    let run = Run { mark: "", guard: None, group: None };
    assert_eq!(selected(&run, &all), [60, 61]);
}

#[test]
fn groups_that_a_process_of_the_run_leads_belong_to_it() {
    let mut all = machine();
    all.extend([
        Process { group: 6, ..process(70, 1) },
        Process { group: 71, state: State::Ended, ..process(71, 6) },
        Process { group: 71, ..process(72, 1) },
        Process { group: 2, ..process(73, 1) },
    ]);
    let with_guard = Run { mark: "", guard: Some(pid(5)), group: None };
    assert_eq!(selected(&with_guard, &all), [6, 70, 72]);
    let with_group = Run { mark: "", guard: None, group: Some(pid(6)) };
    assert_eq!(selected(&with_group, &all), [6, 70, 72]);
}

#[test]
fn who_asks_and_its_ancestors_do_not_belong_to_the_run() {
    let mut all = machine();
    for process in &mut all {
        process.has_mark = true;
    }
    let run = Run { mark: "", guard: Some(pid(5)), group: Some(pid(3)) };
    assert_eq!(selected(&run, &all), [6]);
}

#[test]
fn what_has_ended_is_not_left() {
    let mut all = machine();
    all[4].state = State::Ended;
    assert_eq!(
        selected(&Run { mark: "", guard: Some(pid(5)), group: Some(pid(6)) }, &all),
        Vec::<i32>::new()
    );
}

#[test]
fn a_group_without_members_is_forgotten() {
    let table = Table { read: |_| Ok(vec![process(6, 1)]), ..TABLE };
    for (group, expected) in [(6, Some(pid(6))), (7, None)] {
        let mut run = Run { mark: "", guard: None, group: Some(pid(group)) };
        run.processes(table).unwrap();
        assert_eq!(run.group, expected);
    }
}

#[test]
fn a_process_is_alive_only_at_its_own_time() {
    let own = (TABLE.find)(rustix::process::getpid()).unwrap();
    let number = own.pid.as_raw_pid();
    assert!(is_alive(number, own.start_time));
    assert!(!is_alive(number, own.start_time + 1));
    assert!(!is_alive(0, own.start_time) && !is_alive(-1, own.start_time));
    let mut child = Command::new("true").spawn().unwrap();
    let started = (TABLE.find)(pid(child.id().cast_signed())).unwrap();
    child.wait().unwrap();
    assert!(!is_alive(started.pid.as_raw_pid(), started.start_time));
}

const POSIX: Table = posix::TABLE;

#[cfg(target_os = "linux")]
#[test]
fn children_are_listed_until_they_are_reaped() {
    let mut child = Command::new("sleep").arg("600").spawn().unwrap();
    let number = pid(child.id().cast_signed());
    assert!((TABLE.children)().contains(&number));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!(TABLE.children)().contains(&number));
}

/// A shell with the mark that has started others, without it and in a session of its own.
struct Tree {
    mark: String,
    shell: Child,
}

impl Tree {
    fn start(name: &str) -> Self {
        let mark = format!("{name}-{}", std::process::id());
        let script =
            "env -i sleep 600 & setsid sleep 600 & (trap '' TERM; echo; sleep 600; :) & wait";
        let mut command = Command::new("sh");
        command.args(["-c", script]).env(MARK, &mark).env("X", "a b\nc").process_group(0);
        let mut shell = command.stdout(Stdio::piped()).spawn().unwrap();
        // The last of them ignores the signal by now.
        let mut output = BufReader::new(shell.stdout.as_mut().unwrap());
        output.read_line(&mut String::new()).unwrap();
        Self { mark, shell }
    }

    fn run(&self) -> Run<'_> {
        Run { mark: &self.mark, guard: None, group: Some(pid(self.shell.id().cast_signed())) }
    }

    /// Number, parent, group, and whether it has the mark.
    fn rows(&self, table: Table) -> Vec<(i32, i32, i32, bool)> {
        let mut rows: Vec<_> = self
            .run()
            .processes(table)
            .unwrap()
            .iter()
            .map(|found| (found.pid.as_raw_pid(), found.parent, found.group, found.has_mark))
            .collect();
        rows.sort_unstable();
        rows
    }

    fn end(&mut self, table: Table) {
        let mut ending = Ending::new(table);
        let mut run = Run { mark: &self.mark, ..self.run() };
        for round in 0.. {
            let left = run.processes(table).unwrap();
            if ending.round(&left, round > 2) == 0 {
                break;
            }
            assert!(round < 1_000, "still left: {left:?}");
            let _ = self.shell.try_wait();
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.end(TABLE);
        let _ = self.shell.wait();
    }
}

#[test]
fn both_tables_show_the_same_processes() {
    let tree = Tree::start("tables");
    // What executes another program has no environment for a moment.
    let is_settled = |rows: &[(i32, i32, i32, bool)]| {
        rows.len() >= 5 && rows.iter().filter(|row| !row.3).count() == 1
    };
    for _ in 0..1_000 {
        if is_settled(&tree.rows(TABLE)) {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let rows = tree.rows(TABLE);
    assert!(is_settled(&rows), "{rows:?}");
    assert_eq!(rows, tree.rows(POSIX));
    let shell = pid(tree.shell.id().cast_signed());
    let (found, by_ps) = ((TABLE.find)(shell).unwrap(), (POSIX.find)(shell).unwrap());
    assert_eq!((found.parent, found.group), (by_ps.parent, by_ps.group));
    assert_eq!(found.name, by_ps.name);
    assert!(by_ps.start_time > 20_000_101_000_000, "{}", by_ps.start_time);
}

#[test]
fn processes_are_ended_by_the_other_table_as_well() {
    let mut tree = Tree::start("ended-by-ps");
    tree.end(POSIX);
    assert_eq!(tree.rows(TABLE), []);
}
