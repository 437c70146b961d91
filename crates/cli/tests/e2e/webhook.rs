//! Webhooks: created, tested, changed and deleted.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    thread,
};

use crate::program::World;

/// Answers each request with the next of these statuses, and then with 204.
fn receiver(statuses: &'static [u16]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut statuses = statuses.iter();
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let header = line.to_ascii_lowercase();
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let status = statuses.next().unwrap_or(&204);
            let answer =
                format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

fn serving() -> World {
    World::serving(|command| {
        command.arg("--webhook-allow-private");
    })
}

#[test]
fn a_webhook_is_created_tested_changed_and_deleted() {
    let (world, url) = (serving(), receiver(&[]));
    let made = world.run(&format!("webhook create {url} --type task.failed --format ntfy"));
    assert!(made.stderr.ends_with("; it is not shown again\n"), "{made:?}");
    let made = made.ok("webhook create");
    assert!(made.starts_with("whsec_") && made.lines().count() == 1, "{made}");
    let id = world.id("webhook list --limit 1 -q");
    let tested = world.ok(&format!("webhook test {id} --wait 60s"));
    assert!(tested.starts_with("delivered within "), "{tested}");
    let log = world.ok(&format!("webhook deliveries {id} --limit 5"));
    assert!(log.contains("webhook.tested") && log.contains("204"), "{log}");
    assert!(world.ok(&format!("webhook disable {id}")).contains("disabled webhook"));
    assert_eq!(world.json(&format!("webhook show {id} -o json"))["is_enabled"], false);
    let refused = world.fails(1, &format!("webhook test {id}"));
    assert!(refused.contains("enable it, then test it"), "{refused}");
    assert!(world.ok(&format!("webhook enable {id}")).contains("enabled webhook"));
    let rotated = world.ok(&format!("webhook rotate {id} --overlap 1h"));
    assert!(rotated.starts_with("whsec_") && rotated != made, "{rotated}");
    world.ok(&format!("webhook delete {id}"));
    assert_eq!(world.ok("webhook list"), "no webhooks\n");
    world.fails(3, &format!("webhook show {id}"));
}

#[test]
fn a_test_that_fails_says_why() {
    let (world, url) = (serving(), receiver(&[500]));
    let id = world.id(&format!("webhook create {url} --type never.happens -q"));
    let error = world.fails(1, &format!("webhook test {id}"));
    assert!(error.contains("not delivered: The response has the status 500"), "{error}");
    assert!(error.contains("octopoid webhook deliveries"), "{error}");
}
