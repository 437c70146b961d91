//! The command line and the environment.

use std::net::TcpListener;

use octopoid_store::engine::Statement;

use crate::{
    load::new_task,
    server::{Disk, Server, command, run},
};

#[tokio::test]
async fn the_version_is_printed() {
    let ended = run(command().arg("version")).await;
    assert!(ended.status.success());
    let expected = format!(
        "octopoid-server {} (wire contract {})\n",
        octopoid_api::SERVER_VERSION,
        octopoid_api::WIRE_VERSION
    );
    assert_eq!(ended.stdout, expected);
}

#[tokio::test]
async fn the_document_is_printed() {
    let ended = run(command().arg("openapi")).await;
    assert!(ended.status.success());
    assert_eq!(ended.stdout, octopoid_api::openapi::document());
}

#[tokio::test]
async fn a_database_is_migrated_once() {
    let disk = Disk::new().await;
    for expected in [" migrated from 0 to ", " is up to date at schema version "] {
        let ended = run(command().args(["migrate", "--database", &disk.url()])).await;
        assert!(ended.status.success(), "{}", ended.stderr);
        assert!(ended.stdout.contains(expected), "{}", ended.stdout);
        assert!(ended.stdout.starts_with(&disk.shown()), "{}", ended.stdout);
    }
    disk.serve().await.client().create_task(&new_task("a")).await.unwrap();
}

#[tokio::test]
async fn a_second_server_on_the_same_file_is_refused() {
    let disk = Disk::of_file();
    let first = disk.serve().await;
    for subcommand in ["serve", "migrate"] {
        let arguments = [subcommand, "--listen", "127.0.0.1:0", "--database", &disk.url()];
        let ended = run(command().args(arguments)).await;
        assert_eq!(ended.status.code(), Some(1));
        let expected = format!("{} is in use by another server", disk.file().display());
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    }
    first.client().create_task(&new_task("a")).await.unwrap();
    // The lock is gone with the process, however it ended.
    first.kill().await;
    disk.serve().await.client().get_task("a").await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_server_is_refused_untouched() {
    let disk = Disk::new().await;
    run(command().args(["migrate", "--database", &disk.url()])).await;
    let newer = Statement {
        sql: "INSERT INTO schema_versions (version, applied_at, readable_from) \
              VALUES (999, 0, 999)"
            .into(),
        parameters: Vec::new(),
    };
    disk.engine().write(vec![newer]).await.unwrap();
    for subcommand in ["serve", "migrate"] {
        let arguments = [subcommand, "--listen", "127.0.0.1:0", "--database", &disk.url()];
        let ended = run(command().args(arguments)).await;
        assert_eq!(ended.status.code(), Some(1));
        assert!(
            ended.stderr.contains("the database has schema version 999, this server knows ")
                && ended.stderr.contains(": use a newer server"),
            "{}",
            ended.stderr
        );
    }
}

#[tokio::test]
async fn an_open_server_that_others_can_reach_must_be_asked_for_by_name() {
    let disk = Disk::of_file();
    let arguments = ["--listen", "0.0.0.0:0", "--database", &disk.url()];
    let ended = run(command().args(arguments)).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("--auth required"), "{}", ended.stderr);
    assert!(!disk.file().exists(), "the database was made all the same");
    for auth in ["open", "required"] {
        let server = Server::start(command().args(arguments).args(["--auth", auth])).await;
        assert!(server.address.starts_with("0.0.0.0:"), "{}", server.address);
        server.kill().await;
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_usage() {
    for arguments in [
        ["--database", "mysql://x"],
        ["--database", "sqlite:"],
        ["--listen", "nowhere"],
        ["--auth", "perhaps"],
        ["--lease-grace", "soon"],
        ["--reap-interval", "0s"],
        ["--log-format", "xml"],
        ["--nothing", "x"],
    ] {
        let ended = run(command().args(arguments)).await;
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        assert!(ended.stderr.contains(arguments[0]), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_databases_password_is_not_printed_wherever_the_url_stands() {
    let bad = [
        "postgres://a:geheim@h:port/d",
        "postgres://a:geheim@h/d?sslmode=some",
        "postgres://a:x?sslmode=geheim@h/d",
        "postgre://a:geheim@h/d",
        "mysql://a:geheim@h/d",
    ];
    for url in bad {
        let ended = run(command().args(["--database", url])).await;
        assert_eq!(ended.status.code(), Some(2), "{url}");
        assert!(ended.stderr.contains("--database"), "{}", ended.stderr);
        let variable = run(command().env("DATABASE_URL", url)).await;
        let copy = run(command().args(["copy", "--to", "sqlite:a", "--from", url])).await;
        let import = ["import", "--from-d1-dump", "a", "--to", url];
        let import = run(command().args(import)).await;
        let misplaced = run(command().arg(url)).await;
        for ended in [ended, variable, copy, import, misplaced] {
            assert!(!ended.status.success(), "{url}");
            assert!(!ended.stderr.contains("geheim"), "{}", ended.stderr);
            assert!(!ended.stdout.contains("geheim"), "{}", ended.stdout);
        }
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_named() {
    let disk = Disk::of_file();
    let url = format!("sqlite:{}", disk.path().join("none/test.db").display());
    let arguments = ["--listen", "127.0.0.1:0", "--database", &url];
    let ended = run(command().args(arguments)).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains(&url), "{}", ended.stderr);

    std::fs::write(disk.file(), "this is no database, however long it may be".repeat(100)).unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--database", &disk.url()];
    let ended = run(command().args(arguments)).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains(&disk.url()), "{}", ended.stderr);
}

#[tokio::test]
async fn the_environment_is_honoured_and_flags_win() {
    let disk = Disk::of_file();
    let port = free_port();
    let variables =
        [("PORT", port.as_str()), ("DATABASE_URL", &disk.url()), ("OCTOPOID_AUTH", "required")];
    let server = Server::start(command().envs(variables)).await;
    assert_eq!(server.address, format!("127.0.0.1:{port}"));
    assert!(disk.file().exists());
    assert_eq!(server.client().get_task("a").await.unwrap_err().status(), Some(401));
    server.kill().await;

    let other = free_port();
    let address = format!("127.0.0.1:{other}");
    let mut command = command();
    command.envs(variables).env("OCTOPOID_LISTEN", &address).args(["--auth", "open"]);
    let server = Server::start(&mut command).await;
    assert_eq!(server.address, address);
    assert_eq!(server.client().get_task("a").await.unwrap_err().status(), Some(404));
    server.kill().await;
    let server = Server::start(command.args(["--listen", "127.0.0.1:0"])).await;
    assert_ne!(server.address, address);
}

/// A port that was free a moment ago.
fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

#[tokio::test]
async fn secrets_may_be_in_files() {
    let disk = Disk::of_file();
    let (token, url) = (disk.path().join("token"), disk.path().join("url"));
    std::fs::write(&token, "the-token-of-the-administrator\n").unwrap();
    std::fs::write(&url, disk.url()).unwrap();
    let mut serve = command();
    serve.env("API_SECRET_KEY_FILE", &token).env("DATABASE_URL_FILE", &url);
    let server = Server::start(serve.args(["--listen", "127.0.0.1:0"])).await;
    let administrator = server.open_client().with_key("the-token-of-the-administrator");
    administrator.run_jobs().await.unwrap();
    assert!(disk.file().exists());

    let mut check = command();
    check.arg("check-config").env("API_SECRET_KEY_FILE", &token).env("DATABASE_URL_FILE", &url);
    let ended = run(&mut check).await;
    for origin in ["variable API_SECRET_KEY_FILE", "variable DATABASE_URL_FILE"] {
        assert!(ended.stdout.contains(origin), "{}", ended.stdout);
    }
    std::fs::remove_file(&url).unwrap();
    let ended = run(command().env("DATABASE_URL_FILE", &url)).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("which DATABASE_URL_FILE names"), "{}", ended.stderr);
}

#[tokio::test]
async fn the_configuration_is_checked_without_using_it() {
    let disk = Disk::of_file();
    let mut check = command();
    check.current_dir(disk.path()).arg("check-config").args(["--lease-grace", "7s"]);
    check.env("PORT", "9").env("API_SECRET_KEY", "hidden-from-others").env("RUST_LOG", "inof");
    check.env("OCTOPOID_REAP_INTERVALL", "1s");
    let ended = run(&mut check).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let rows: Vec<Vec<_>> =
        ended.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        vec!["SETTING", "VALUE", "ORIGIN"],
        vec!["--listen", "127.0.0.1:9", "variable", "PORT"],
        vec!["--database", "sqlite:octopoid.db", "default"],
        vec!["--lease-grace", "7s", "flag", "--lease-grace"],
        vec!["--auth", "open", "default"],
        vec!["API_SECRET_KEY", "set", "variable", "API_SECRET_KEY"],
    ] {
        assert!(rows.contains(&row), "{row:?} in {}", ended.stdout);
    }
    assert!(ended.stdout.contains("did you mean OCTOPOID_REAP_INTERVAL?"), "{}", ended.stdout);
    assert!(ended.stdout.contains("warning: RUST_LOG: "), "{}", ended.stdout);
    assert!(!ended.stdout.contains("hidden-from-others"), "{}", ended.stdout);
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0, "nothing is created");

    let ended = run(command().args(["check-config", "--listen", "0.0.0.0:1"])).await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stdout);
    assert!(ended.stdout.contains("0.0.0.0:1"), "{}", ended.stdout);
    assert!(ended.stderr.contains("set --auth required"), "{}", ended.stderr);
    let before = ["--listen", "127.0.0.1:7", "check-config"];
    let ended = run(command().args(before)).await;
    assert!(ended.stdout.contains("127.0.0.1:7"), "{}", ended.stdout);
    assert!(ended.stdout.contains("flag --listen"), "{}", ended.stdout);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let (disk, other) = (Disk::new().await, Disk::new().await);
    let first = disk.serve().await;
    let arguments = ["--listen", &first.address, "--database", &other.url()];
    let ended = run(command().args(arguments)).await;
    assert_eq!(ended.status.code(), Some(1));
    let expected = format!("cannot listen on {}", first.address);
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
}

#[tokio::test]
async fn a_database_in_memory_needs_no_file_and_is_gone_with_its_server() {
    let disk = Disk::of_file();
    for _ in 0..2 {
        let arguments = ["--listen", "127.0.0.1:0", "--database", "sqlite::memory:"];
        let server = Server::start(command().current_dir(disk.path()).args(arguments)).await;
        server.client().create_task(&new_task("a")).await.unwrap();
        server.kill().await;
    }
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn without_arguments_the_database_is_in_the_working_directory() {
    let disk = Disk::of_file();
    let mut command = command();
    command.current_dir(disk.path()).env("PORT", free_port());
    Server::start(&mut command).await.client().create_task(&new_task("a")).await.unwrap();
    assert!(disk.path().join("octopoid.db").exists());
}
