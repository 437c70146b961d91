//! How a command ends, and how it is told to.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use octopoid_runner::{
    classify::Exit,
    process::{MARK, Pids},
};
use rustix::process::{Pid, Signal, getpgid, getpgrp, getsid};

use crate::world::{World, block_on, signal, wait_until_gone};

crate::cases! {
    the_exit_code_or_the_signal_is_told,
    a_command_that_is_missing_ends_with_127_and_says_so,
    what_cannot_be_executed_ends_with_126_and_says_so,
    a_command_reads_the_prompt_and_then_its_end,
    a_command_has_the_environment_that_was_given_and_its_mark,
    a_run_is_away_from_the_terminal,
    a_command_that_is_told_to_stop_may_end_by_itself,
    what_ignores_sigterm_is_killed_after_the_grace_period,
    stopping_twice_changes_nothing,
    a_run_is_killed_during_the_grace_period,
    what_was_suspended_is_stopped_too,
    a_signal_to_the_guard_stops_the_run,
    a_child_that_is_dropped_stops_its_run,
    stopping_what_has_ended_by_itself_does_not_count,
    a_run_whose_files_cannot_be_written_ends_as_any,
    what_cannot_be_started_is_refused,
}

const SHORT: Duration = Duration::from_millis(300);

fn the_exit_code_or_the_signal_is_told() {
    block_on(async {
        for (script, exit) in [
            ("exit 0", Exit::Code(0)),
            ("exit 3", Exit::Code(3)),
            ("exit 255", Exit::Code(255)),
            ("kill -9 $$", Exit::Signal(9)),
            ("kill -TERM $$", Exit::Signal(15)),
        ] {
            let finished = World::new().shell(script).finish().await;
            let noted = fs::read_to_string(finished.world.path("files/end.json")).unwrap();
            assert_eq!(finished.ended.exit, exit, "{script}");
            assert!(!finished.ended.was_stopped && !finished.ended.is_output_too_large);
            assert_eq!((finished.ended.guard_failure, finished.ended.left), (None, vec![]));
            let expected = match exit {
                Exit::Code(code) => format!("{{\"code\":{code},\"was_stopped\":false}}\n"),
                Exit::Signal(signal) => {
                    format!("{{\"signal\":{signal},\"was_stopped\":false}}\n")
                }
            };
            assert_eq!(noted, expected);
        }
    });
}

fn a_command_that_is_missing_ends_with_127_and_says_so() {
    block_on(async {
        for program in ["no-such-program", "./no-such-program"] {
            let finished = World::new().start(&[program]).finish().await;
            assert_eq!(finished.ended.exit, Exit::Code(127));
            let expected = format!(
                "octopoid: cannot start {program}: No such file or directory (os error 2). Is it \
                 installed, and is its folder in PATH?\n"
            );
            assert_eq!(finished.error, expected);
        }
    });
}

fn what_cannot_be_executed_ends_with_126_and_says_so() {
    block_on(async {
        for (mode, remedy) in [(0o644, "may this user execute it"), (0o755, "A script needs")] {
            let world = World::new();
            let program = world.path("program");
            fs::write(&program, "no program\n").unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
            let finished = world.start(&["./program"]).finish().await;
            assert_eq!(finished.ended.exit, Exit::Code(126));
            assert!(finished.error.contains(remedy), "{}", finished.error);
        }
    });
}

fn a_command_reads_the_prompt_and_then_its_end() {
    block_on(async {
        let finished = World::new().shell("cat; echo end").finish().await;
        assert_eq!(finished.output, "the prompt\nend\n");
    });
}

fn a_command_has_the_environment_that_was_given_and_its_mark() {
    block_on(async {
        let mut world = World::new();
        world.environment.push(("A NAME".into(), "a\nvalue".into()));
        world.environment.push((MARK.into(), "of-another-run".into()));
        let (path, mark) = (world.environment[0].1.clone(), world.mark.clone());
        let finished = world.start(&["env", "-0"]).finish().await;
        let mut found: Vec<_> = finished.output.split_terminator('\0').collect();
        found.sort_unstable();
        let path = format!("PATH={}", path.display());
        assert_eq!(found, ["A NAME=a\nvalue", &format!("{MARK}={mark}"), &path]);
    });
}

fn a_run_is_away_from_the_terminal() {
    block_on(async {
        let mut run = World::new().shell("echo ready; sleep 600");
        run.read_until("ready").await;
        let Pids { guard, leader } = run.world.wait_for_pids().await;
        let pid = |number: i32| Pid::from_raw(number);
        assert_eq!(getsid(pid(guard.pid)).unwrap(), pid(guard.pid).unwrap());
        assert_eq!(getsid(pid(leader.pid)).unwrap(), pid(guard.pid).unwrap());
        assert_eq!(getpgid(pid(leader.pid)).unwrap(), pid(leader.pid).unwrap());
        assert_ne!(getpgid(pid(guard.pid)).unwrap(), getpgrp());
        run.child.kill();
        run.finish().await;
    });
}

fn a_command_that_is_told_to_stop_may_end_by_itself() {
    block_on(async {
        let script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 600; done";
        let mut run = World::new().shell(script);
        run.read_until("ready").await;
        run.child.stop();
        let finished = run.finish().await;
        assert_eq!(finished.output, "ready\nbye\n");
        assert_eq!(finished.ended.exit, Exit::Code(7));
        assert!(finished.ended.was_stopped);
    });
}

fn what_ignores_sigterm_is_killed_after_the_grace_period() {
    block_on(async {
        let script = "trap '' TERM; echo ready; sleep 600; sleep 600";
        let mut run = World::with_grace(SHORT).shell(script);
        run.read_until("ready").await;
        run.child.stop();
        let finished = run.finish().await;
        assert_eq!(finished.ended.exit, Exit::Signal(9));
        assert!(finished.ended.was_stopped);
    });
}

fn stopping_twice_changes_nothing() {
    block_on(async {
        let script = "trap 'echo term' TERM; echo ready; while :; do sleep 600; done";
        let mut run = World::with_grace(SHORT).shell(script);
        run.read_until("ready").await;
        for _ in 0..3 {
            run.child.stop();
        }
        run.read_until("term").await;
        run.child.stop();
        let finished = run.finish().await;
        assert_eq!(finished.output, "ready\nterm\n");
        assert_eq!(finished.ended.exit, Exit::Signal(9));
    });
}

fn a_run_is_killed_during_the_grace_period() {
    block_on(async {
        let script = "trap 'echo term' TERM; echo ready; while :; do sleep 600; done";
        let mut run = World::new().shell(script);
        run.read_until("ready").await;
        run.child.stop();
        run.read_until("term").await;
        run.child.kill();
        run.child.kill();
        let finished = run.finish().await;
        assert_eq!(finished.ended.exit, Exit::Signal(9));
        assert!(finished.ended.was_stopped);
    });
}

fn what_was_suspended_is_stopped_too() {
    block_on(async {
        let mut run = World::new().shell("echo ready; kill -STOP $$; sleep 600");
        run.read_until("ready").await;
        run.child.stop();
        let finished = run.finish().await;
        assert_eq!(finished.ended.exit, Exit::Signal(15));
    });
}

fn a_signal_to_the_guard_stops_the_run() {
    block_on(async {
        for number in [Signal::TERM, Signal::INT, Signal::HUP] {
            let mut run = World::new().shell("echo ready; sleep 600");
            run.read_until("ready").await;
            signal(run.world.wait_for_pids().await.guard.pid, number);
            let finished = run.finish().await;
            assert_eq!(finished.ended.exit, Exit::Signal(15));
            assert!(finished.ended.was_stopped);
            assert_eq!(finished.ended.guard_failure, None);
        }
    });
}

fn a_child_that_is_dropped_stops_its_run() {
    block_on(async {
        let mut run = World::new().shell("echo pid $$; echo ready; sleep 600");
        run.read_until("ready").await;
        let (pids, world) = (run.printed_pids(), run.into_world());
        wait_until_gone(&world, &pids).await;
    });
}

fn stopping_what_has_ended_by_itself_does_not_count() {
    block_on(async {
        // The guard waits for the one that the command leaves behind.
        let script = "(trap 'echo term' TERM; : > up; while :; do sleep 600; done) & \
                      while [ ! -e up ]; do :; done; exit 5";
        let mut run = World::new().shell(script);
        run.read_until("term").await;
        run.child.stop();
        run.child.kill();
        let finished = run.finish().await;
        assert_eq!(finished.ended.exit, Exit::Code(5));
        assert!(!finished.ended.was_stopped);
    });
}

fn a_run_whose_files_cannot_be_written_ends_as_any() {
    block_on(async {
        let finished = World::new().shell("rm -r files; exit 4").finish().await;
        assert_eq!(finished.ended.exit, Exit::Code(4));
        assert_eq!(finished.ended.guard_failure, None);
        assert!(finished.error.contains("cannot note the end of the run"), "{}", finished.error);
    });
}

fn what_cannot_be_started_is_refused() {
    block_on(async {
        let mut world = World::new();
        let refused = |world: &World, program: &[&str]| {
            world.try_start(program).err().expect("it is refused").to_string()
        };
        assert!(refused(&world, &[]).contains("the command of the run is empty"));
        let prompt = world.path("prompt");
        fs::remove_file(&prompt).unwrap();
        let expected = format!("cannot read {}: ", prompt.display());
        assert!(refused(&world, &["true"]).starts_with(&expected));
        fs::write(prompt, "").unwrap();
        world.dir = world.path("no-such-folder");
        let error = refused(&world, &["true"]);
        assert!(error.contains("cannot start the guard") && error.contains("no-such-folder"));
        "two words".clone_into(&mut world.mark);
        assert!(refused(&world, &["true"]).contains("not \"two words\""));
        assert_eq!(world.pids(), None);
    });
}
