//! Web pages of other origins, which a browser lets send requests to any address.

use octopoid_api::{AuthMode, Settings};

use crate::{
    SECRET, assert_shut,
    common::{ADMIN, TestApp},
    is_open, operation,
    world::World,
};

/// What browsers tell of a page's request: scripts, forms, images, older browsers.
const PAGES: [&[(&str, &str)]; 4] = [
    &[("origin", "https://evil.example"), ("content-type", "text/plain")],
    &[("origin", "null"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
    &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
    &[("sec-fetch-site", "same-site")],
];

fn settings(auth: AuthMode, origins: &[&str]) -> Settings {
    Settings {
        auth,
        admin_key_hash: Some(octopoid_api::auth::hash(ADMIN)),
        cors_origins: origins.iter().map(|origin| origin.parse().unwrap()).collect(),
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_page_of_another_origin_neither_sees_nor_changes_anything() {
    for (auth, origins) in [
        (AuthMode::Open, &[][..]),
        (AuthMode::Open, &["https://board.example"]),
        (AuthMode::Required, &["https://board.example"]),
    ] {
        let world = World::on(TestApp::with(settings(auth, origins)).await).await;
        let before = world.shown().await;
        for operation in operation::all() {
            for page in PAGES {
                for request in [world.as_owner(&operation), world.as_administrator(&operation)] {
                    let answer = request.send_from(&world.app, page).await;
                    let what = format!("{operation} from {page:?}");
                    assert_eq!(answer.status, 403, "{what}: {}", answer.text);
                    assert_eq!(answer.json()["code"], "foreign_origin", "{what}");
                    assert!(!answer.text.contains(SECRET), "{what}: {}", answer.text);
                }
            }
        }
        world.assert_unchanged(&before, "a page").await;
    }
}

/// What needs no key there is anybody's, and shows nobody's data.
#[tokio::test]
async fn where_keys_are_required_a_page_without_one_gets_no_further_than_anybody() {
    let world = World::new(AuthMode::Required).await;
    let before = world.shown().await;
    for operation in operation::all() {
        for page in PAGES {
            let answer = world.as_owner(&operation).send_from(&world.app, page).await;
            assert_shut(&answer, &operation, "a page");
        }
    }
    world.assert_unchanged(&before, "a page").await;
}

#[tokio::test]
async fn with_origins_listed_a_key_does_not_help_another_page() {
    let settings = settings(AuthMode::Required, &["https://board.example"]);
    let world = World::on(TestApp::with(settings).await).await;
    let owner = world.app.holder("theirs").await;
    let before = world.shown().await;
    for operation in operation::all() {
        let request = world.as_owner(&operation);
        let answer = request.send_from(&owner, PAGES[0]).await;
        assert_eq!(answer.status, 403, "{operation}: {}", answer.text);
    }
    world.assert_unchanged(&before, "a page with a key").await;
}

#[tokio::test]
async fn a_page_whose_name_was_made_to_be_this_machines_gets_nothing() {
    let settings = Settings { allowed_hosts: Some(Vec::new()), ..settings(AuthMode::Open, &[]) };
    let world = World::on(TestApp::with(settings).await).await;
    let before = world.shown().await;
    let page = [("host", "evil.example:8787"), ("origin", "http://evil.example:8787")];
    for operation in operation::all() {
        for headers in [&page[..], &page[..1]] {
            let answer = world.as_owner(&operation).send_from(&world.app, headers).await;
            assert_eq!(answer.expect(403)["code"], "unknown_host", "{operation}");
        }
    }
    world.assert_unchanged(&before, "a page").await;
}

#[tokio::test]
async fn a_page_with_a_key_is_its_holder_where_no_origins_are_listed() {
    for auth in [AuthMode::Open, AuthMode::Required] {
        for operation in operation::all() {
            // Each request changes something that the next one needs.
            let world = World::new(auth).await;
            let administrator = world.app.holding(ADMIN);
            let request = world.as_administrator(&operation);
            let answer = request.send_from(&administrator, PAGES[0]).await;
            if auth == AuthMode::Open && is_open(&operation) {
                assert_eq!(answer.status, 403, "{operation}: {}", answer.text);
            } else {
                assert!(answer.status.is_success(), "{operation}: {}", answer.text);
            }
        }
    }
}
