//! docs/tour.md, whose commands print what the page says.

use std::{fs, path::Path, process::Command};

use octopoid_testbed::{skip, tour::Tour};

use crate::program::{World, finish};

/// The page, from this crate.
const PAGE: &str = "../../docs/tour.md";

/// Writes the page with the output of this run instead of comparing it.
const RECORD: &str = "OCTOPOID_RECORD_TOUR";

/// What the page uses beside the program and what every Debian system has.
const PROGRAMS: [&str; 5] = ["curl", "openssl", "prometheus", "promtool", "python3"];

/// Ends a tour that waits for something that does not happen, so that it can be shown.
const SECONDS_MAX: &str = "240";

#[test]
fn the_tour_prints_what_its_page_says() {
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED: the tour is one of Linux");
        return;
    }
    let is_missing = |program: &&&str| Command::new(program).arg("--help").output().is_err();
    if let Some(missing) = PROGRAMS.iter().find(is_missing) {
        return skip(&format!("{missing} is not installed, which docs/tour.md uses"));
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(here.join(PAGE)).unwrap();
    let tour = Tour::read(&page).unwrap();
    let world = World::alone();
    let programs = world.home().join("bin");
    fs::create_dir(&programs).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_octopoid"), programs.join("octopoid")).unwrap();
    let paths = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());

    // On Linux, all of 127.0.0.0/8 is this machine: no other test has the ports of this address.
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let address = format!("127.{a}.{b}.{c}");
    let monitoring = here.join("../../deploy/monitoring").display().to_string();
    let replacements =
        [("127.0.0.1", address.as_str()), ("/usr/share/octopoid/monitoring", &monitoring)];
    let mut bash = Command::new("timeout");
    bash.args([SECONDS_MAX, "bash", "-c", &tour.script(&replacements)]);
    bash.env_clear().envs([("HOME", world.home().as_os_str()), ("PATH", paths.as_ref())]);
    let printed = finish(bash.current_dir(world.home())).stdout;
    let run = tour.recorded(&printed, &replacements).unwrap_or_else(|error| panic!("{error:#}"));
    if std::env::var_os(RECORD).is_some() {
        fs::write(here.join(PAGE), run.page()).unwrap();
        return;
    }
    tour.compare(&run).unwrap_or_else(|error| panic!("{error:#}"));
}
