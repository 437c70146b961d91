use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use proptest::prelude::*;

use super::{Error, Git, Version, printable, redacted};

/// A repository whose alias `run` is this line of shell.
async fn repository_with(alias: &str) -> (tempfile::TempDir, Git) {
    let dir = tempfile::tempdir().unwrap();
    let git = Git::at(dir.path());
    git.write("init").arg("-q").done().await.unwrap();
    git.write("config").args(["alias.run", &format!("!{alias}")]).done().await.unwrap();
    (dir, git)
}

/// Whether the process ends before the deadline.
async fn ends(pid: &str) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let gone = async {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        while rustix::process::test_kill_process(pid).is_ok() && !is_zombie(pid) {
            tick.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.is_ok()
}

fn is_zombie(pid: rustix::process::Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn versions_are_read_and_compared() {
    let parse = |text| Version::parse(text);
    assert_eq!(parse("git version 2.39.5 (Apple Git-154)"), Some(Version { major: 2, minor: 39 }));
    assert_eq!(parse("git version 2.9-rc1"), Some(Version { major: 2, minor: 9 }));
    assert_eq!(parse("git version 3.0"), Some(Version { major: 3, minor: 0 }));
    assert_eq!(parse("something else"), None);
    assert!(parse("git version 2.9.1").unwrap() < Version::OLDEST);
    assert!(parse("git version 3.0").unwrap() > Version::LISTS_WITH_ZEROS);
}

#[test]
fn credentials_in_addresses_are_not_shown() {
    let cases = [
        ("fatal: https://u:p@host/x 'http://t@h'", "fatal: https://***@host/x 'http://***@h'"),
        ("https://u:p@w@host:1/a@b", "https://***@host:1/a@b"),
        ("ssh://git@host", "ssh://***@host"),
        ("https://host/a and me@b.org", "https://host/a and me@b.org"),
        ("://", "://"),
    ];
    for (text, shown) in cases {
        assert_eq!(redacted(text), shown);
    }
}

#[test]
fn errors_are_shown_without_controls_and_not_without_end() {
    assert_eq!(printable(b"a\x1b[31m\r 50%\r\n\n\tb\xff"), "a[31m\n 50%\n b\u{fffd}");
    assert_eq!(printable("ü".repeat(9000).as_bytes()).chars().count(), 2049);
    assert_eq!(printable("x\n".repeat(90).as_bytes()).lines().count(), 40);
}

proptest! {
    #[test]
    fn a_password_is_never_shown(password in "[a-z@:]{1,9}", before in ".{0,9}") {
        let secret = format!("#{password}#");
        let shown = redacted(&format!("{before} https://user:{secret}@host/"));
        prop_assert!(!shown.contains(&secret));
        prop_assert!(shown.ends_with("https://***@host/"));
    }
}

#[tokio::test]
async fn what_redirects_git_and_the_keys_of_the_runner_do_not_reach_it() {
    let (_dir, git) = repository_with("env").await;
    let printed = git.read("run").line().await.unwrap();
    let has = |start: &str| printed.lines().any(|line| line.starts_with(start));
    assert!(has("LC_ALL=C") && has("GIT_TERMINAL_PROMPT=0") && has("GIT_OPTIONAL_LOCKS=0"));
    let command = super::environment::command(git.dir(), &[]);
    let removed =
        |name: &str| command.as_std().get_envs().any(|pair| pair == (name.as_ref(), None));
    assert!(super::REDIRECTING.into_iter().all(removed));
    assert!(!git.write("run").line().await.unwrap().contains("GIT_OPTIONAL_LOCKS"));
}

#[tokio::test]
async fn a_failure_names_the_command_and_what_git_says() {
    let (dir, git) = repository_with("echo https://me:secret@host/ >&2; exit 3").await;
    let error = git.read("run").done().await.unwrap_err().to_string();
    let place = dir.path().display();
    assert_eq!(error, format!("`git run` in {place} failed (exit code 3): https://***@host/"));

    let absent = Git::at(dir.path().join("absent"));
    assert!(matches!(absent.read("status").done().await, Err(Error::NoFolder(_))));
}

#[tokio::test]
async fn output_is_read_up_to_the_limit_and_git_ends() {
    let (_dir, git) = repository_with("yes").await;
    let output = git.read("run").bytes_max(100_000).output().await.unwrap();
    assert!(output.is_truncated && output.is_success());
    assert_eq!(output.stdout.len(), 100_000);
    let error = git.read("run").bytes_max(10).bytes().await.unwrap_err();
    assert_eq!(error.to_string(), "`git run` printed more than 10 bytes");

    let (_dir, git) = repository_with("printf 123456789").await;
    assert_eq!(git.read("run").bytes_max(9).bytes().await.unwrap(), b"123456789");
}

#[tokio::test]
async fn a_git_that_hangs_is_ended_with_everything_it_started() {
    let (dir, git) =
        repository_with("echo $$ > pid; trap '' TERM; while :; do sleep 1; done").await;
    let pid = dir.path().join("pid");
    let limit = Duration::from_millis(300);
    let error = git.read("run").limit(limit).done().await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    assert!(ends(&fs::read_to_string(&pid).unwrap()).await);
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_git() {
    let (dir, git) = repository_with("echo $$ > new; mv new pid; exec sleep 1000").await;
    let pid = dir.path().join("pid");
    {
        let call = git.read("run").done();
        tokio::pin!(call);
        let started = async {
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            while !pid.exists() {
                tick.tick().await;
            }
        };
        tokio::select! {
            _ = &mut call => panic!("it sleeps"),
            () = started => {}
        }
    }
    assert!(ends(&fs::read_to_string(&pid).unwrap()).await);
}

#[tokio::test]
async fn a_process_that_holds_the_pipes_open_does_not_hold_up_the_call() {
    let (dir, git) = repository_with("sleep 1000 & echo $! > pid; echo done").await;
    let call = git.read("run").limit(Duration::from_secs(30)).line();
    assert_eq!(call.await.unwrap(), "done");
    let pid = fs::read_to_string(dir.path().join("pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn standard_input_is_what_the_caller_gives_or_empty() {
    let (_dir, git) = repository_with("wc -c | tr -d ' '").await;
    assert_eq!(git.read("run").line().await.unwrap(), "0");
    let large = vec![b'x'; 1 << 20];
    assert_eq!(git.read("run").stdin(large.clone()).line().await.unwrap(), "1048576");
    let (_dir, git) = repository_with("echo deaf").await;
    assert_eq!(git.read("run").stdin(large).line().await.unwrap(), "deaf");
}

#[tokio::test]
async fn ssh_does_not_ask_unless_the_user_has_chosen_a_program() {
    let (dir, git) = repository_with("env").await;
    // Variables of the test's own process would decide instead.
    if std::env::var_os("GIT_SSH").or(std::env::var_os("GIT_SSH_COMMAND")).is_none() {
        let printed = git.network("run").line().await.unwrap();
        assert!(printed.contains("GIT_SSH_COMMAND=ssh -o BatchMode=yes"));
        let program = dir.path().join("own-ssh");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let setting = git.write("config").arg("core.sshCommand").arg(&program);
        setting.done().await.unwrap();
        assert!(!git.network("run").line().await.unwrap().contains("BatchMode"));
    }
}
