//! A disk on which there is no more room.

use std::process::Stdio;

use octopoid_domain::task::NewTask;
use tokio::process::Command;

use crate::{
    load::{all_tasks, new_task},
    server::{Disk, Server},
};

/// The binary, whose files may have four million bytes each. The signal that usually ends such a
/// process is ignored, so that writing fails as it does on a full disk.
fn confined(disk: &Disk) -> Command {
    let script = "trap '' XFSZ; ulimit -f 8192; exec \"$0\" \"$@\"";
    let mut command = Command::new("/bin/sh");
    command.env_clear().kill_on_drop(true).stdin(Stdio::null());
    command.args(["-c", script, env!("CARGO_BIN_EXE_octopoid-server")]);
    command.args(["--listen", "127.0.0.1:0", "--database", &disk.url()]);
    command
}

#[tokio::test]
async fn what_was_acknowledged_before_the_disk_was_full_is_kept_and_the_server_is_not_ready() {
    let disk = Disk::of_file();
    let server = Server::start(&mut confined(&disk)).await;
    let client = server.client();
    client.health().await.unwrap();
    let mut kept = 0;
    // Smaller and smaller ones, until there is no room for any.
    for length in [300_000, 30_000, 3_000, 1] {
        let content = "x".repeat(length);
        let refusal = loop {
            let new = NewTask { content: content.as_str().into(), ..new_task(&format!("t{kept}")) };
            match client.create_task(&new).await {
                Ok(_) => kept += 1,
                Err(error) => break error,
            }
            assert!(kept < 1_000, "the disk is never full");
        };
        assert_eq!(refusal.status(), Some(503), "{refusal}");
    }
    assert_eq!(client.health().await.unwrap().status, "unhealthy");
    assert_eq!(client.get_task("t0").await.unwrap().id, "t0");
    server.kill().await;

    let server = disk.serve().await;
    let tasks = all_tasks(&server.client()).await.unwrap();
    // The last one was not acknowledged. It may be there all the same.
    let there = tasks.len();
    assert!(there == kept || there == kept + 1, "{there} of {kept} tasks are there");
}
