use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use super::*;

/// Set for the process that `a_killed_owner_leaves_nothing_behind` starts and kills.
const TO_BE_KILLED: &str = "OCTOPOID_SCRATCH_TO_BE_KILLED";

/// Whether there is a PostgreSQL to test with. In continuous integration there must be.
fn is_possible() -> bool {
    let is_found = Binaries::find().is_some();
    if !is_found {
        skip(HOW_TO_INSTALL);
    }
    is_found
}

fn start(durability: Durability) -> Scratch {
    Scratch::start(&Options::new(durability)).unwrap()
}

/// What a statement gives, asked over TCP.
fn ask(scratch: &Scratch, sql: &str) -> String {
    let mut psql = Command::new(scratch.binaries.program("psql"));
    let output = psql.args(["-XAtq", "-c", sql, &scratch.url()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn answers(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[test]
fn a_cluster_for_tests_answers_and_does_not_wait_for_the_disk() {
    if !is_possible() {
        return;
    }
    let scratch = start(Durability::None);
    assert_eq!(ask(&scratch, "SHOW fsync"), "off");
    assert_eq!(ask(&scratch, "SHOW full_page_writes"), "off");
    assert_eq!(ask(&scratch, "SHOW synchronous_commit"), "on");
    assert_eq!(ask(&scratch, "SHOW server_encoding"), "UTF8");
    assert_eq!(ask(&scratch, "SHOW listen_addresses"), "127.0.0.1");
    assert_eq!(ask(&scratch, "SHOW max_connections"), "200");
}

#[test]
fn what_was_confirmed_survives_a_crash_and_the_address_stays() {
    if !is_possible() {
        return;
    }
    let mut scratch = start(Durability::Full);
    let url = scratch.url();
    assert_eq!(ask(&scratch, "SHOW fsync"), "on");
    ask(&scratch, "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('crash')");
    scratch.restart().unwrap();
    assert_eq!(ask(&scratch, "SELECT word FROM kept"), "crash");
    assert_eq!(scratch.url(), url);
}

#[test]
fn a_stopped_server_answers_nobody_until_it_is_started_again() {
    if !is_possible() {
        return;
    }
    let mut scratch = start(Durability::None);
    assert!(scratch.start_again().is_err());
    for mode in [Mode::Fast, Mode::Immediate] {
        scratch.stop(mode).unwrap();
        scratch.stop(mode).unwrap();
        assert!(!answers(scratch.port()));
        scratch.start_again().unwrap();
        assert!(answers(scratch.port()));
    }
}

#[test]
fn a_port_that_somebody_uses_is_passed_over() {
    if !is_possible() {
        return;
    }
    let somebody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = somebody.local_addr().unwrap().port();
    let ports = iter::once(taken).chain(iter::repeat_with(random_port));
    let scratch = Scratch::start_on(&Options::new(Durability::None), ports).unwrap();
    assert_ne!(scratch.port(), taken);
    assert_eq!(ask(&scratch, "SELECT 1"), "1");
}

#[test]
fn two_clusters_do_not_see_each_other() {
    if !is_possible() {
        return;
    }
    let [one, other] = [start(Durability::None), start(Durability::None)];
    ask(&one, "CREATE TABLE own (id integer)");
    assert_eq!(ask(&other, "SELECT to_regclass('own') IS NULL"), "t");
}

#[test]
fn a_locale_that_does_not_exist_is_refused_with_the_reason() {
    if !is_possible() {
        return;
    }
    let mut options = Options::new(Durability::None);
    options.locale = "nowhere.UTF-8".to_owned();
    let error = Scratch::start(&options).err().unwrap().to_string();
    assert!(error.contains("invalid locale name"), "{error}");
}

#[test]
fn nothing_is_left_after_it_was_dropped() {
    if !is_possible() {
        return;
    }
    let scratch = start(Durability::None);
    let (folder, port) = (scratch.folder.path().to_owned(), scratch.port());
    drop(scratch);
    assert!(!folder.exists());
    assert!(!answers(port));
}

#[test]
fn a_killed_owner_leaves_nothing_behind() {
    if env::var_os(TO_BE_KILLED).is_some() {
        wait_to_be_killed();
    }
    if !is_possible() {
        return;
    }
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "postgres::tests::a_killed_owner_leaves_nothing_behind"])
        .env(TO_BE_KILLED, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(owner.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let (port, folder) = line.trim().split_once(' ').unwrap();
    let port = port.parse().unwrap();
    assert!(answers(port));
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until("the folder is gone", STOP_MAX, || Ok(!Path::new(folder).exists())).unwrap();
    assert!(!answers(port));
}

/// Tells where the server is, and holds it until the process is killed or its parent ends.
fn wait_to_be_killed() {
    let scratch = start(Durability::None);
    eprintln!("{} {}", scratch.port(), scratch.folder.path().display());
    let _ = std::io::stdin().read(&mut [0]);
}
