//! Links to the board.

use std::{fs, os::unix::fs::PermissionsExt as _};

use octopoid_client::{Client, Error};
use octopoid_domain::key::{Permission, SignIn, SignedIn};
use serde_json::Value;

use crate::program::{World, finish, wait};

const ADMINISTRATOR: &str = "an-administrators-token";

fn guarded() -> World {
    World::serving(|serve| {
        serve.args(["--auth", "required"]).env("API_SECRET_KEY", ADMINISTRATOR);
    })
}

/// What a browser does that opens a link.
pub(crate) fn follow(link: &str) -> Result<SignedIn, Error> {
    let (address, code) = link.split_once("#k=").unwrap();
    let (server, _) = address.split_once("/?").unwrap();
    wait(Client::new(server).unwrap().sign_in(&SignIn { code: code.into() }))
}

#[test]
fn a_link_signs_one_browser_in() {
    let world = guarded();
    let by = |key: &str, line: &str| finish(world.command(line).env("OCTOPOID_KEY", key));
    let link = by(ADMINISTRATOR, "board").ok("board");
    let link = link.trim_end();
    assert!(link.starts_with(&format!("{}/?scope=demo#k=oct_", world.url())), "{link}");
    let signed_in = follow(link).unwrap();
    assert_eq!((&*signed_in.scope, signed_in.permission), ("demo", Permission::Manage));
    assert_eq!(follow(link).unwrap_err().status(), Some(403));

    // The key of a scope needs no --scope.
    let json = "board -o json";
    let mut command = world.command(json);
    let command = command.env("OCTOPOID_KEY", &signed_in.api_key).env_remove("OCTOPOID_SCOPE");
    let link = finish(command).json(json);
    assert!(link["expires_at"].is_string(), "{link}");
    follow(link["url"].as_str().unwrap()).unwrap();

    let issued = by(ADMINISTRATOR, "key issue --permission work --json api_key");
    let worker: Value = serde_json::from_str(&issued.stdout).unwrap();
    let refused = by(worker["api_key"].as_str().unwrap(), "board");
    assert_eq!((refused.code, &*refused.stdout), (Some(6), ""));
    assert!(refused.stderr.contains("\"manage\""), "{refused:?}");
}

#[test]
fn without_a_key_the_link_is_the_address() {
    let world = World::new();
    assert_eq!(world.id("board"), format!("{}/?scope=demo", world.url()));
    assert_eq!(world.id("board -q --scope 'a b'"), format!("{}/?scope=a%20b", world.url()));
    assert_eq!(world.json("board --json expires_at"), serde_json::json!({ "expires_at": null }));
}

#[test]
fn a_link_is_opened_by_the_program_of_the_system() {
    let world = World::new();
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let run = |script: &str| {
        world.write(opener, script);
        let file = world.home().join(opener);
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        finish(world.command("board --open").env("PATH", world.home()))
    };
    let ended = run("#!/bin/sh\nprintf %s \"$*\" > opened\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // Every user of the machine sees the arguments of a program, and nobody else the file.
    let page = fs::read_to_string(world.home().join("opened")).unwrap();
    assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(&format!("\"0; url={}\"", ended.stdout.trim_end())), "{page}");
    let failed = run("#!/bin/sh\nexit 3\n");
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stdout.starts_with(&world.url()), "the link is printed all the same");
    assert!(failed.stderr.contains("cannot open the link"), "{failed:?}");
}
