//! Runners and guards that are killed.

use std::{
    ffi::OsString,
    fs,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{Child as StdChild, ExitCode, Stdio},
    time::Duration,
};

use octopoid_runner::{
    classify::Exit,
    process::{Child, Command, Ended, Output, is_alive, recover, sweep},
};

use rustix::process::Signal;

use crate::world::{
    World, block_on, current_exe, is_there, kill, signal, wait_until, wait_until_gone,
};

crate::cases! {
    a_killed_runner_takes_its_run_along,
    a_runner_that_is_killed_at_any_moment_leaves_nothing,
    a_run_ends_with_its_runner_if_another_process_holds_its_socket,
    the_processes_of_a_killed_guard_are_ended_by_the_runner,
    after_both_were_killed_the_marked_processes_are_found,
    a_restarted_runner_waits_for_the_guard_and_learns_the_end,
    a_sweep_finds_nothing_where_nothing_is,
    a_guard_without_arguments_says_what_it_is,
}

const GRACE: Duration = Duration::from_secs(5);

/// A tree whose shell, in a session of its own, notes the numbers of its processes.
const TREE: &str = "(trap 'sleep 0.1; exit' TERM; setsid sleep 600 & \
                    echo $$ $! $(exec sh -c 'echo $PPID') > noted.new; mv noted.new noted; \
                    while :; do sleep 600; done) & wait";

/// Runs a script as a runner, until it is killed: `runner FOLDER MARK SCRIPT`.
pub(crate) fn runner(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    let mut next = || words.next().unwrap();
    let (folder, mark, script) = (PathBuf::from(next()), next(), next());
    block_on(async {
        let mut child = Child::start(&Command {
            guard: &[std::env::current_exe().unwrap().into(), "guard".into()],
            program: &["sh".into(), "-c".into(), script],
            dir: &folder,
            environment: &[("PATH".into(), std::env::var_os("PATH").unwrap())],
            stdin: &folder.join("prompt"),
            mark: mark.to_str().unwrap(),
            output: &Output::Pipe,
            files: &folder.join("files"),
            grace: GRACE,
        })
        .unwrap();
        while child.read().await.unwrap().is_some() {}
    });
    ExitCode::SUCCESS
}

/// Starts a guard whose socket another process holds as well, and then waits to be killed.
pub(crate) fn leaking_runner(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    let mut next = || words.next().unwrap();
    let (folder, mark, script) = (PathBuf::from(next()), next(), next());
    let (line, far_line) = UnixStream::pair().unwrap();
    let mut guard = current_exe();
    guard.arg("guard").arg(mark).arg("5000").arg(folder.join("prompt")).arg(folder.join("files"));
    guard.args(["sh".into(), "-c".into(), script]).current_dir(&folder);
    let mut guard = guard.stdin(OwnedFd::from(far_line)).spawn().unwrap();
    let mut holder = std::process::Command::new("sleep");
    let mut holder = holder.arg("600").stdin(OwnedFd::from(line)).spawn().unwrap();
    fs::write(folder.join("holder.new"), holder.id().to_string()).unwrap();
    fs::rename(folder.join("holder.new"), folder.join("holder")).unwrap();
    holder.wait().unwrap();
    guard.wait().unwrap();
    ExitCode::SUCCESS
}

fn start(world: &World, command: &str, script: &str) -> StdChild {
    let mut runner = current_exe();
    runner.arg(command).arg(world.path("")).arg(&world.mark).arg(script);
    runner.stdin(Stdio::null()).spawn().unwrap()
}

fn kill_and_wait(runner: &mut StdChild) {
    runner.kill().unwrap();
    runner.wait().unwrap();
}

fn a_killed_runner_takes_its_run_along() {
    block_on(async {
        let world = World::new();
        let mut runner = start(&world, "runner", TREE);
        let noted = world.wait_for_numbers("noted").await;
        let pids = world.wait_for_pids().await;
        assert_eq!(noted.len(), 3);
        assert!(noted.iter().copied().all(is_there));
        assert!(is_alive(pids.guard.pid, pids.guard.start_time));
        kill_and_wait(&mut runner);
        wait_until_gone(&world, &noted).await;
        assert!(!is_alive(pids.guard.pid, pids.guard.start_time));
        let end = fs::read_to_string(world.path("files/end.json")).unwrap();
        assert_eq!(end, "{\"signal\":15,\"was_stopped\":true}\n");
    });
}

fn a_runner_that_is_killed_at_any_moment_leaves_nothing() {
    block_on(async {
        for number in 0..24 {
            let world = World::new();
            let mut runner = start(&world, "runner", TREE);
            // From before the runner's first instruction to after the start of the command.
            std::thread::park_timeout(Duration::from_micros(1_500 * number));
            kill_and_wait(&mut runner);
            wait_until_gone(&world, &[]).await;
        }
    });
}

fn a_run_ends_with_its_runner_if_another_process_holds_its_socket() {
    block_on(async {
        let world = World::new();
        let mut runner = start(&world, "leaking-runner", TREE);
        let holder = world.wait_for_numbers("holder").await[0];
        let noted = world.wait_for_numbers("noted").await;
        kill_and_wait(&mut runner);
        wait_until_gone(&world, &noted).await;
        assert!(is_there(holder));
        kill(holder);
    });
}

fn the_processes_of_a_killed_guard_are_ended_by_the_runner() {
    block_on(async {
        // One has the mark, the other one only the command's process group.
        let script = "setsid sleep 600 & echo pid $!; env -i sleep 600 & echo pid $!; \
                      yes >&2 & echo ready; wait";
        let mut run = World::new().shell(script);
        run.read_until("ready").await;
        kill(run.world.wait_for_pids().await.guard.pid);
        let finished = run.finish().await;
        let failure = finished.ended.guard_failure.unwrap();
        assert!(failure.contains("signal: 9"), "{failure}");
        assert_eq!(finished.ended.exit, Exit::Signal(9));
        assert!(!finished.ended.was_stopped);
    });
}

fn after_both_were_killed_the_marked_processes_are_found() {
    block_on(async {
        let world = World::new();
        let mut runner = start(&world, "runner", TREE);
        let noted = world.wait_for_numbers("noted").await;
        let guard = world.wait_for_pids().await.guard;
        // A stopped guard does not notice the death of its runner.
        signal(guard.pid, Signal::STOP);
        kill_and_wait(&mut runner);
        kill(guard.pid);
        wait_until("the guard is gone", || !is_alive(guard.pid, guard.start_time)).await;
        assert!(noted.iter().copied().all(is_there));
        assert_eq!(recovered(&world).await, None);
        wait_until_gone(&world, &noted).await;
    });
}

/// As the restarted runner does.
async fn recovered(world: &World) -> Option<Ended> {
    let (files, mark) = (world.path("files"), world.mark.clone());
    let recovered = tokio::task::spawn_blocking(move || recover(&files, &mark, GRACE));
    recovered.await.unwrap().unwrap()
}

fn a_restarted_runner_waits_for_the_guard_and_learns_the_end() {
    block_on(async {
        let world = World::new();
        let script = "trap 'sleep 0.2; exit 9' TERM; echo $$ > noted.new; mv noted.new noted; \
                      while :; do sleep 600; done";
        let mut runner = start(&world, "runner", script);
        let noted = world.wait_for_numbers("noted").await;
        world.wait_for_pids().await;
        kill_and_wait(&mut runner);
        let ended = recovered(&world).await.unwrap();
        assert!(ended.was_stopped);
        assert_eq!(ended.guard_failure, None);
        assert_eq!(world.left(), Vec::<String>::new());
        assert!(!is_there(noted[0]));
    });
}

fn a_sweep_finds_nothing_where_nothing_is() {
    let world = World::new();
    assert_eq!(sweep(&world.mark, Duration::ZERO).unwrap(), 0);
    let recovered = recover(&world.path("files"), &world.mark, Duration::ZERO);
    assert_eq!(recovered.unwrap(), None);
}

fn a_guard_without_arguments_says_what_it_is() {
    let output = current_exe().arg("guard").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text, "octopoid: only `octopoid agent run` starts a guard, for a run\n");
}
