//! What a command leaves behind, and what hides from its runner.

use std::{fs, time::Duration};

use octopoid_runner::classify::Exit;

use crate::world::{World, block_on, is_listed, wait_until};

crate::cases! {
    a_background_process_in_a_session_of_its_own_is_ended,
    a_process_without_the_mark_and_without_its_parents_is_ended,
    what_ignores_sigterm_is_killed_after_the_command_has_ended,
    a_killed_command_leaves_a_child_that_holds_its_output,
    two_hundred_children_are_ended,
    children_that_are_started_while_the_run_is_stopped_are_ended,
    a_chain_of_processes_that_each_start_the_next_is_ended,
    orphans_do_not_stay_as_zombies,
}

const SHORT: Duration = Duration::from_millis(300);

fn a_background_process_in_a_session_of_its_own_is_ended() {
    block_on(async {
        let script = "setsid nohup sleep 600 >/dev/null 2>&1 & echo pid $!; exit 2";
        let run = World::new().shell(script);
        let finished = run.finish().await;
        assert_eq!(finished.ended.exit, Exit::Code(2));
        assert!(!finished.ended.was_stopped);
    });
}

fn a_process_without_the_mark_and_without_its_parents_is_ended() {
    block_on(async {
        let hidden = "env -i setsid sh -c '(sleep 600 & echo pid $!) & wait'";
        let script = format!("({hidden} &) ; while [ ! -e ready ]; do sleep 0.01; done");
        let mut run = World::new().shell(&script);
        run.read_until("pid ").await;
        fs::write(run.world.path("ready"), "").unwrap();
        let finished = run.finish().await;
        assert_eq!(finished.output.lines().count(), 1);
        assert_eq!(finished.ended.exit, Exit::Code(0));
    });
}

fn what_ignores_sigterm_is_killed_after_the_command_has_ended() {
    block_on(async {
        let script = "(trap '' TERM; echo pid $(exec sh -c 'echo $PPID'); sleep 600; :) & \
                      while [ ! -e ready ]; do sleep 0.01; done";
        let mut run = World::with_grace(SHORT).shell(script);
        run.read_until("pid ").await;
        fs::write(run.world.path("ready"), "").unwrap();
        let finished = run.finish().await;
        assert_eq!(finished.ended.exit, Exit::Code(0));
    });
}

fn a_killed_command_leaves_a_child_that_holds_its_output() {
    block_on(async {
        let script = "setsid sleep 600 & echo pid $!; kill -9 $$";
        let finished = World::new().shell(script).finish().await;
        assert_eq!(finished.ended.exit, Exit::Signal(9));
        assert!(!finished.ended.was_stopped);
    });
}

fn two_hundred_children_are_ended() {
    block_on(async {
        let script = "i=0; while [ $i -lt 200 ]; do sleep 600 & echo pid $!; i=$((i+1)); done; \
                      echo ready; wait";
        let mut run = World::new().shell(script);
        run.read_until("ready").await;
        assert_eq!(run.printed_pids().len(), 200);
        run.child.stop();
        run.finish().await;
    });
}

fn children_that_are_started_while_the_run_is_stopped_are_ended() {
    block_on(async {
        let script = "trap '' TERM; echo ready; while :; do setsid sleep 600 & echo pid $!; \
                      sleep 0.005; done";
        let mut run = World::with_grace(SHORT).shell(script);
        run.read_until("ready").await;
        run.child.stop();
        let finished = run.finish().await;
        assert_eq!(finished.ended.exit, Exit::Signal(9));
    });
}

fn a_chain_of_processes_that_each_start_the_next_is_ended() {
    block_on(async {
        // Each lives for less time than a look at all processes takes.
        let script = "trap '' TERM; next() { next & }; next; echo ready; exit 6";
        let mut run = World::with_grace(SHORT).shell(script);
        run.read_until("ready").await;
        let finished = run.finish().await;
        assert_eq!(finished.ended.exit, Exit::Code(6));
    });
}

fn orphans_do_not_stay_as_zombies() {
    block_on(async {
        let script = "(sh -c 'echo pid $$' &) ; while [ ! -e ready ]; do sleep 0.01; done";
        let mut run = World::new().shell(script);
        run.read_until("pid ").await;
        let orphan = run.printed_pids()[0];
        wait_until("reaped", || !is_listed(orphan)).await;
        fs::write(run.world.path("ready"), "").unwrap();
        run.finish().await;
    });
}
