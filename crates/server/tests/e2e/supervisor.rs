//! A server that a service manager has started: it says how it is, and takes the socket that it was
//! given. These tests are the service manager.

use std::{
    net::TcpListener,
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    process::Stdio,
};

use tokio::{net::UnixDatagram as Datagrams, process::Command};

use crate::{
    server::{Disk, PATIENCE, Server, command, run},
    wire::Connection,
};

/// Passes its standard input as the first socket, as `sd_listen_fds` describes it.
const PASS: &str = r#"LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@" 3<&0 </dev/null"#;

/// A request that needs no key.
const HEALTH: &str = "GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// The binary with this socket.
fn with_socket(socket: OwnedFd) -> Command {
    let mut command = Command::new("/bin/sh");
    command.env_clear().kill_on_drop(true).stdin(Stdio::from(socket));
    command.args(["-c", PASS, env!("CARGO_BIN_EXE_octopoid-server")]);
    command
}

/// What the server tells until it has told this.
async fn told(socket: &Datagrams, until: &str) -> Vec<String> {
    let mut told = Vec::new();
    while !told.iter().any(|line| line == until) {
        let mut text = vec![0; 1024];
        let received = tokio::time::timeout(PATIENCE, socket.recv(&mut text)).await;
        text.truncate(received.unwrap_or_else(|_| panic!("no {until} in {told:?}")).unwrap());
        told.extend(String::from_utf8(text).unwrap().lines().map(str::to_owned));
    }
    told
}

#[tokio::test]
async fn a_service_manager_is_told_when_the_server_is_ready_lives_and_stops() {
    let disk = Disk::new().await;
    let path = disk.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let socket = Datagrams::from_std(socket).unwrap();
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "60000")];
    let server = disk.serve_with(&[], &variables).await;
    let status = format!("STATUS=listening on http://{}", server.address);
    assert_eq!(told(&socket, &status).await, ["READY=1", &status]);
    for _ in 0..3 {
        assert_eq!(told(&socket, "WATCHDOG=1").await, ["WATCHDOG=1"]);
    }
    server.terminate().await;
    let mut told = told(&socket, "STOPPING=1").await;
    told.retain(|line| line != "WATCHDOG=1");
    assert_eq!(told, ["STOPPING=1", "STATUS=completing requests in flight"]);
    assert_eq!(server.ends(PATIENCE).await.status.code(), Some(0));
}

#[tokio::test]
async fn a_service_manager_that_does_not_listen_is_no_reason_to_stop() {
    let disk = Disk::new().await;
    let gone = disk.path().join("gone");
    let mut server = disk.serve_with(&[], &[("NOTIFY_SOCKET", gone.to_str().unwrap())]).await;
    server.prints("cannot tell the service manager").await;
    server.client().health().await.unwrap();
}

#[tokio::test]
async fn a_restart_refuses_no_connection() {
    let disk = Disk::new().await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let start = || {
        let socket = OwnedFd::from(socket.try_clone().unwrap());
        // The address that it was given is used, and not this one.
        disk.configure(with_socket(socket))
    };
    let server = Server::start(&mut start()).await;
    assert_eq!(server.address, address);
    server.terminate().await;
    assert_eq!(server.ends(PATIENCE).await.status.code(), Some(0));

    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut connection = Connection::open_at(&address).await;
        connection.send(HEALTH).await;
        waiting.push(connection);
    }
    let _server = Server::start(&mut start()).await;
    for mut connection in waiting {
        let answer = connection.rest(PATIENCE).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_that_was_just_accepted_gets_its_answer() {
    let disk = Disk::new().await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = Server::start(&mut disk.configure(with_socket(OwnedFd::from(socket)))).await;
    let mut connection = Connection::open(&server).await;
    // The server accepts connections in their order, so it has the first one by now.
    server.client().health().await.unwrap();
    server.terminate().await;
    server.prints("stopping").await;
    connection.send(HEALTH).await;
    let answer = connection.rest(PATIENCE).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn the_address_of_the_socket_decides_whether_keys_are_needed() {
    let disk = Disk::of_file();
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let ended = run(&mut disk.configure(with_socket(OwnedFd::from(socket)))).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("is not a loopback address: set --auth"), "{}", ended.stderr);
    assert!(!disk.file().exists());
}

#[tokio::test]
async fn what_is_no_listener_is_refused_with_the_remedy() {
    let disk = Disk::of_file();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (datagrams, _other) = UnixDatagram::pair().unwrap();
    for (socket, expected) in [
        (OwnedFd::from(connection), "the socket of the service manager is a connection: "),
        (OwnedFd::from(datagrams), "cannot use the socket of the service manager: "),
    ] {
        let ended = run(&mut disk.configure(with_socket(socket))).await;
        assert_eq!(ended.status.code(), Some(1));
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
        assert!(ended.stderr.contains("one ListenStream= with a port"), "{}", ended.stderr);
    }
    let ended = run(disk.configure(command()).env("LISTEN_FDS", "2")).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("passed 2 sockets"), "{}", ended.stderr);
    assert!(!disk.file().exists());
}
