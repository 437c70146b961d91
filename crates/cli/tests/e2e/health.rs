//! `octopoid health`, as what watches a server runs it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    thread,
};

use crate::program::World;

#[test]
fn a_healthy_server_is_told_by_the_exit_code() {
    let world = World::serving(|command| {
        command.args(["--auth", "required"]);
    });
    assert_eq!(world.ok("health"), format!("{} is healthy\n", world.url()));
    assert_eq!(world.ok("health --quiet"), "");
    let health = world.json("health -o json");
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["server_version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_server_that_does_not_answer_or_is_unhealthy_is_a_failure() {
    let world = World::alone();
    world.fails(7, "health --server http://127.0.0.1:1");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let answering = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = BufReader::new(stream.try_clone().unwrap());
        assert!(request.lines().any(|line| line.unwrap().is_empty()));
        let body =
            r#"{"status":"unhealthy","version":"2.0.0","timestamp":"","database":"disconnected"}"#;
        let head = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: ";
        write!(stream, "{head}{}\r\n\r\n{body}", body.len()).unwrap();
    });
    let error = world.fails(1, &format!("health --server {server}"));
    assert!(error.contains("is unhealthy, its database is disconnected"), "{error}");
    answering.join().unwrap();
}
