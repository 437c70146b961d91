//! `octopoid service`, with programs that stand in for those of systemd and write down how they are
//! called.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::Command,
};

use octopoid_testbed::skip;

use crate::program::{Ended, World, finish};

/// A world with service managers of this state.
fn world(state: &str) -> World {
    let world = World::alone();
    fs::create_dir(world.home().join("bin")).unwrap();
    let script = format!(
        "#!/bin/sh\n[ \"$2\" = is-system-running ] && echo {state} && exit 0\n\
         echo \"${{0##*/}} $*\" >>\"$HOME/calls\"\n[ ! -e \"$HOME/is-down\" ] || exit 3\n"
    );
    for name in ["systemctl", "journalctl"] {
        let path = world.home().join("bin").join(name);
        fs::write(&path, &script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    world
}

fn run(world: &World, line: &str) -> Ended {
    let path = format!("{}:/usr/bin:/bin", world.home().join("bin").display());
    finish(world.command(line).env("PATH", path))
}

/// What the programs of systemd were called with since the last look.
fn calls(world: &World) -> Vec<String> {
    let path = world.home().join("calls");
    let calls = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    calls.lines().map(str::to_owned).collect()
}

#[test]
fn a_service_of_the_user_is_installed_looked_at_and_removed() {
    let world = world("running");
    let line = "service install --user --listen 127.0.0.1:9";
    let told = run(&world, line).ok(line);
    let settings = world.home().join(".config");
    let read = |name: &str| fs::read_to_string(settings.join("systemd/user").join(name)).unwrap();
    assert!(read("octopoid.socket").contains("ListenStream=127.0.0.1:9\n"));
    let service = read("octopoid.service");
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_octopoid")).unwrap();
    assert!(service.contains(&format!("ExecStart={} serve\n", program.display())), "{service}");
    let variables = settings.join("octopoid/server.env");
    assert_eq!(fs::metadata(&variables).unwrap().mode() & 0o777, 0o600);
    let first = fs::read_to_string(&variables).unwrap();
    let key = first.lines().find_map(|line| line.strip_prefix("API_SECRET_KEY=")).unwrap();
    assert_eq!(key.len(), 64);
    assert!(!told.contains(key), "{told}");
    assert!(told.contains("http://127.0.0.1:9\n"), "{told}");
    let enable = "systemctl --user enable octopoid.socket octopoid.service";
    let restart = "systemctl --user restart octopoid.socket octopoid.service";
    let called = calls(&world);
    assert_eq!(called[..2], ["systemctl --user daemon-reload", enable]);
    assert_eq!(called.last().unwrap(), restart);
    for call in &called {
        assert!(told.contains(&format!("running {call}\n")), "{told}");
    }

    // Again, with the token that is there.
    run(&world, line).ok(line);
    assert_eq!(fs::read_to_string(&variables).unwrap(), first);
    calls(&world);

    for (line, expected) in [
        ("service status --user", "systemctl --user --no-pager status "),
        (
            "service logs --user --lines 7 --follow",
            "journalctl --user --no-pager --unit octopoid.service --lines 7 --follow",
        ),
    ] {
        run(&world, line).ok(line);
        let calls = calls(&world);
        assert!(calls.len() == 1 && calls[0].starts_with(expected), "{calls:?}");
    }

    let line = "service uninstall --user";
    let told = run(&world, line).ok(line);
    assert!(told.contains("are kept"), "{told}");
    assert_eq!(fs::read_dir(settings.join("systemd/user")).unwrap().count(), 0);
    assert!(variables.exists());
    run(&world, line).ok(line);
}

#[test]
fn a_service_that_does_not_run_is_a_failure() {
    let world = world("running");
    world.write("is-down", "");
    let ended = run(&world, "service status --user");
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("the service does not run"), "{}", ended.stderr);
    let ended = run(&world, "service logs --user");
    assert!(ended.stderr.contains("journalctl --user"), "{}", ended.stderr);
    assert_eq!(ended.code, Some(1));
}

#[test]
fn without_a_service_manager_nothing_is_written() {
    let world = world("offline");
    let ended = run(&world, "service install --user");
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("systemd does not run services of this user"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("octopoid service install --print"), "{}", ended.stderr);
    for line in ["service status --user", "service logs --user", "service uninstall --user"] {
        assert_eq!(run(&world, line).code, Some(1), "{line}");
    }
    for line in [
        "service status --system --manager systemd",
        "service logs --system --manager systemd",
        "service uninstall --system --manager systemd",
    ] {
        let ended = run(&world, line);
        assert!(ended.stderr.contains("does not run services of this system"), "{}", ended.stderr);
    }
    assert!(!world.home().join(".config").exists());
    assert!(calls(&world).is_empty());
}

#[test]
fn a_service_can_be_installed_in_another_system() {
    let world = world("offline");
    let line = "service install --system --root other --program /usr/local/bin/octopoid";
    run(&world, line).ok(line);
    let other = world.home().join("other/etc");
    let service = fs::read_to_string(other.join("systemd/system/octopoid.service")).unwrap();
    assert!(service.contains("ExecStart=/usr/local/bin/octopoid serve\n"), "{service}");
    assert!(service.contains("DynamicUser=yes\n"), "{service}");
    assert!(other.join("systemd/system/octopoid.socket").exists());
    assert!(other.join("octopoid/server.env").exists());
    assert!(calls(&world).is_empty());
    let ended = run(&world, "service install --system --print --program /home/a/octopoid");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("copy the program to /usr/local/bin"), "{}", ended.stderr);
}

#[test]
fn the_files_can_be_printed_and_nothing_is_written() {
    let world = world("offline");
    let line = "service install --system --print --program /usr/bin/octopoid";
    let units = run(&world, line).ok(line);
    assert!(units.contains("# /etc/systemd/system/octopoid.socket\n"), "{units}");
    assert!(units.contains("WatchdogSec="), "{units}");
    let line = "service install --user --manager launchd --print";
    let list = run(&world, line).ok(line);
    let home = world.home().display();
    assert!(list.contains(&format!("# {home}/Library/LaunchAgents/octopoid.server.plist")));
    assert!(list.contains(&format!("sqlite:{home}/.local/share/octopoid/server.db")), "{list}");
    assert_eq!(run(&world, "service install --manager launchd --system --print").code, Some(2));
    assert!(!world.home().join(".config").exists());
}

#[test]
fn systemd_understands_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return skip("the check of the units needs systemd-analyze: install systemd");
    }
    let world = world("offline");
    // The program must exist, and a service of the system does not see home folders.
    let line = "service install --system --root . --program /bin/sh";
    run(&world, line).ok(line);
    let units = world.home().join("etc/systemd/system");
    let unit = |name: &str| units.join(name);
    let mut verify = Command::new("systemd-analyze");
    verify.args(["--man=no", "verify"]).arg(unit("octopoid.service")).arg(unit("octopoid.socket"));
    let verified = finish(&mut verify);
    assert_eq!((verified.code, &*verified.stderr), (Some(0), ""), "{}", verified.stdout);
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold=25"]).arg(unit("octopoid.service"));
    let judged = finish(&mut security);
    assert_eq!(judged.code, Some(0), "{}{}", judged.stdout, judged.stderr);
}
