//! What people see on a terminal.

use std::{
    fs::File,
    io::Read as _,
    process::{Command, Stdio},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::program::World;

/// Runs a command on a terminal of its own, and returns what is shown there.
fn on_terminal(command: &mut Command) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let end = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    command.stdout(end.try_clone().unwrap()).stderr(end);
    let mut child = command.spawn().unwrap();
    // The command has its own copies, with which the terminal would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut shown = Vec::new();
    // Once the last end is closed, reading fails.
    let _ = File::from(terminal).read_to_end(&mut shown);
    child.wait().unwrap();
    String::from_utf8(shown).unwrap()
}

#[test]
fn long_work_has_a_bar() {
    let world = World::alone();
    world.ok("migrate --database sqlite:a.db");
    let shown =
        on_terminal(world.command("copy --from sqlite:a.db --to sqlite:b.db").env("TERM", "xterm"));
    assert!(shown.contains("copying: ") && shown.contains(" rows, "), "{shown:?}");
    assert!(shown.contains('█') || shown.contains('░'), "{shown:?}");
    assert!(shown.ends_with("\r\n") && shown.contains("sha256"), "{shown:?}");
}

#[test]
fn there_are_colours_and_times_are_relative() {
    let world = World::new();
    world.ok("add Work");
    world.ok("task claim --agent bot");
    let shown = on_terminal(&mut world.command("task list"));
    assert!(shown.contains('\u{1b}') && shown.contains("claimed"), "{shown:?}");
    assert!(shown.contains(" s ago") || shown.contains(" min ago"), "{shown:?}");
    let json = on_terminal(&mut world.command("task list -o json"));
    assert!(json.starts_with("{\r\n  \"schema_version\": 1,"), "{json:?}");
    let plain = [
        on_terminal(world.command("task list").env("NO_COLOR", "1")),
        on_terminal(&mut world.command("task list --no-color")),
    ];
    for shown in plain {
        assert!(!shown.contains('\u{1b}') && shown.contains(" ago"), "{shown:?}");
    }
    // A person is not shown an object.
    let error = on_terminal(&mut world.command("task get none --json id"));
    assert!(error.starts_with("error: Task not found"), "{error:?}");
}
