//! Reading what a run prints.

use std::fs;

use octopoid_runner::{
    classify::Exit,
    process::{Child, Output, Stream},
};

use crate::world::{World, block_on};

crate::cases! {
    both_streams_are_read,
    reading_may_be_cancelled,
    two_hundred_megabytes_are_read_in_bounded_memory,
    a_run_that_prints_while_it_is_stopped_does_not_wait,
    a_file_is_followed_to_its_end,
    a_file_is_emptied_first,
    a_file_that_grows_too_large_ends_its_run,
}

const BYTES: usize = 200_000_000;

/// Reads to the end and counts the bytes of standard output, with the largest piece.
async fn count(child: &mut Child) -> (usize, usize) {
    let (mut bytes, mut largest) = (0, 0);
    while let Some((stream, piece)) = child.read().await.unwrap() {
        bytes += if stream == Stream::Output { piece.len() } else { 0 };
        largest = largest.max(piece.len());
    }
    (bytes, largest)
}

/// The memory of this process, where the system tells it.
fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<usize>().ok());
    number.unwrap_or_default() * 1_024
}

fn both_streams_are_read() {
    block_on(async {
        let script = "echo out; echo err >&2; sleep 0.05; echo out2; echo err2 >&2";
        let finished = World::new().shell(script).finish().await;
        assert_eq!(finished.output, "out\nout2\n");
        assert_eq!(finished.error, "err\nerr2\n");
    });
}

fn reading_may_be_cancelled() {
    block_on(async {
        let script = "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done";
        let mut run = World::new().shell(script);
        let (mut text, mut cancelled) = (Vec::new(), 0);
        loop {
            tokio::select! {
                biased;
                piece = run.child.read() => match piece.unwrap() {
                    Some((stream, piece)) => {
                        assert_eq!(stream, Stream::Output);
                        text.extend_from_slice(piece);
                    }
                    None => break,
                },
                // The call above is dropped where it waits.
                () = tokio::task::yield_now() => cancelled += 1,
            }
        }
        let text = String::from_utf8(text).unwrap();
        let expected = (0..300).map(|number| format!("line {number}"));
        assert!(text.lines().eq(expected), "{text}");
        assert!(cancelled > 0);
    });
}

fn two_hundred_megabytes_are_read_in_bounded_memory() {
    block_on(async {
        let mut run = World::new().shell(&format!("head -c {BYTES} /dev/zero"));
        let before = resident_bytes();
        let (bytes, largest) = count(&mut run.child).await;
        assert_eq!(bytes, BYTES);
        assert!(largest <= 64 << 10);
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 32 << 20, "{grown}");
        assert_eq!(run.child.ended().await.exit, Exit::Code(0));
    });
}

fn a_run_that_prints_while_it_is_stopped_does_not_wait() {
    block_on(async {
        let print = format!("(trap \"\" TERM; head -c {BYTES} /dev/zero); exit 3");
        let script = format!("trap '{print}' TERM; echo ready; while :; do sleep 600; done");
        let mut run = World::new().shell(&script);
        run.read_until("ready\n").await;
        run.child.stop();
        let (bytes, _) = count(&mut run.child).await;
        assert_eq!(bytes, BYTES);
        let ended = run.child.ended().await;
        assert_eq!((ended.exit, ended.was_stopped), (Exit::Code(3), true));
    });
}

fn into_file(world: &mut World, bytes_max: u64) {
    world.output = Output::File { path: world.path("output"), bytes_max };
}

fn a_file_is_followed_to_its_end() {
    block_on(async {
        let mut world = World::new();
        into_file(&mut world, 1 << 20);
        let wait = "while [ ! -e go ]; do sleep 0.01; done";
        let mut run = world.shell(&format!("echo first; echo err >&2; {wait}; echo last"));
        run.read_until("first\n").await;
        fs::write(run.world.path("go"), "").unwrap();
        let finished = run.finish().await;
        assert_eq!((&*finished.output, &*finished.error), ("first\nlast\n", "err\n"));
        assert!(!finished.ended.is_output_too_large);
        let kept = fs::read_to_string(finished.world.path("output")).unwrap();
        assert_eq!(kept, "first\nlast\n");
    });
}

fn a_file_is_emptied_first() {
    block_on(async {
        let mut world = World::new();
        into_file(&mut world, 1 << 20);
        fs::write(world.path("output"), "of an earlier run").unwrap();
        assert_eq!(world.shell("echo x").finish().await.output, "x\n");
    });
}

fn a_file_that_grows_too_large_ends_its_run() {
    block_on(async {
        for (bytes_max, is_exact) in [(100_000, false), (4, true)] {
            let mut world = World::new();
            into_file(&mut world, bytes_max);
            let finished = world.shell(if is_exact { "echo abc" } else { "yes" }).finish().await;
            assert_eq!(finished.output.len() as u64, bytes_max);
            let ended = finished.ended;
            assert_eq!(ended.is_output_too_large, !is_exact);
            assert_eq!(ended.was_stopped, !is_exact);
        }
    });
}
