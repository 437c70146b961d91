//! What ends a cluster whose owner has died.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;

/// Waits for the end of its input, which comes when the owner dies, and cleans up then. The folder
/// is not removed under a server that still writes to it, unless that one does not end.
const SCRIPT: &str = r#"
read -r _
pid_file="$1/data/postmaster.pid"
kill -QUIT "$(head -n 1 "$pid_file")"
tries=0
while [ -e "$pid_file" ] && [ "$tries" -lt 100 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
rm -rf -- "$1"
"#;

/// A small shell beside the server. A process that is killed drops nothing, but the system closes
/// its pipes: the shell sees that, stops the server and removes the folder.
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Watches over a cluster's folder until this is dropped.
    pub(crate) fn over(folder: &Path) -> anyhow::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(folder)
            // What ends the owner's whole process group must not end this with it.
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("could not start the shell that watches over the cluster")?;
        Ok(Self { shell })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // The owner is alive and cleans up itself.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
