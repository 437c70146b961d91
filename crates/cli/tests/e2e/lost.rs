//! Answers that are lost on their way.

use std::{
    io::{Read as _, Write as _, copy},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

use crate::program::World;

/// Starts a proxy that passes on requests, and loses the first answer. Returns its address.
fn losing_proxy(server: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let mut client = client.unwrap();
            let mut onward = TcpStream::connect(&server).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), onward.try_clone().unwrap());
            thread::spawn(move || copy(&mut from, &mut to));
            if number == 0 {
                // The server has done what was asked as soon as it answers.
                onward.read_exact(&mut [0]).unwrap();
            } else {
                let _ = copy(&mut onward, &mut client);
                let _ = client.flush();
            }
            let _ = client.shutdown(Shutdown::Both);
        }
    });
    address
}

#[test]
fn a_request_whose_answer_is_lost_is_sent_again_and_done_once() {
    let world = World::new();
    let through = || losing_proxy(world.url().replace("http://", ""));
    let id = world.id(&format!("add Work -q --server http://{}", through()));
    assert_eq!(world.id("task list -q"), id);
    let claimed = world.id(&format!("task claim -q --server http://{}", through()));
    assert_eq!(claimed, id);
    assert_eq!(world.json(&format!("task get {id} --json run"))["run"], 1);
    world.ok(&format!("pause add scope -r Lunch --server http://{}", through()));
    assert_eq!(world.id("pause list -q"), "scope");
}
