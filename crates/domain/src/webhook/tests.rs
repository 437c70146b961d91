#![allow(clippy::needless_pass_by_value, reason = "`json!({..})` reads better than `&json!({..})`")]

use serde_json::json;

use super::{Format, NewWebhook, RotateSecret, Rules, Webhook, WebhookPatch, WebhookWithSecret};
use crate::{Millis, Refusal, input::parse_body};

const NOW: Millis = Millis(1_795_294_738_605);

/// A webhook for all events.
pub(super) fn webhook() -> Webhook {
    let body = NewWebhook { url: "https://example.com".into(), ..NewWebhook::default() };
    let (webhook, _) = body.into_webhook("s", Rules::default(), [7; 32], NOW).unwrap();
    Webhook { id: "hook-1".to_owned(), ..webhook }
}

fn made(body: serde_json::Value) -> Result<Webhook, String> {
    let body: NewWebhook = parse_body(body.to_string().as_bytes()).unwrap();
    let made = body.into_webhook("s", Rules::default(), [7; 32], NOW);
    made.map(|(webhook, _)| webhook).map_err(|refusal| refusal.to_string())
}

fn changed(body: serde_json::Value) -> Result<super::Changes, Refusal> {
    let body: WebhookPatch = parse_body(body.to_string().as_bytes()).unwrap();
    body.into_changes(Rules::default())
}

#[test]
fn a_new_webhook_sends_all_events_in_the_standard_format() {
    let hook = made(json!({"url": "https://example.com"})).unwrap();
    assert_eq!((hook.format, hook.types.len(), hook.is_enabled), (Format::Standard, 0, true));
    let hook = made(json!({"url": "https://a.example", "types": "task.*", "format": "ntfy"}));
    let hook = hook.unwrap();
    assert_eq!((hook.format, hook.types), (Format::Ntfy, vec!["task.*".to_owned()]));
}

#[test]
fn what_a_webhook_cannot_be_is_refused_with_the_remedy() {
    let url = "https://example.com";
    for (body, text) in [
        (json!({}), "Missing required field: url"),
        (json!({"url": "x"}), "Invalid url: "),
        (
            json!({"url": url, "format": "xml"}),
            "Invalid format \"xml\". Valid formats: standard, ntfy, slack, discord",
        ),
        (json!({"url": url, "types": ["x"]}), "Invalid value for types: \"x\" is neither"),
        (
            json!({"url": url, "types": ["needs_person", "task.*"]}),
            "types must not combine needs_person with other types",
        ),
        (json!({"url": url, "secret": "x"}), "secret must be whsec_ and 24 to 64 bytes"),
    ] {
        let refused = made(body).unwrap_err();
        assert!(refused.starts_with(text), "{refused}");
    }
}

#[test]
fn a_patch_changes_what_it_names() {
    let changes = changed(json!({"types": null, "is_enabled": 0})).unwrap();
    assert_eq!((changes.types, changes.is_enabled), (Some(Vec::new()), Some(false)));
    assert_eq!((changes.url, changes.format), (None, None));
    for (body, text) in [
        (json!({}), "No fields to update"),
        (json!({"url": null}), "url must not be null"),
        (json!({"format": null}), "format must not be null"),
        (json!({"is_enabled": null}), "is_enabled must not be null"),
        (json!({"url": "https://10.0.0.1"}), "url must not lead inside"),
    ] {
        let refused = changed(body).unwrap_err().to_string();
        assert!(refused.starts_with(text), "{refused}");
    }
}

#[test]
fn a_replaced_secret_signs_for_a_day_unless_the_body_says_otherwise() {
    let overlap = |body: serde_json::Value| {
        let body: RotateSecret = parse_body(body.to_string().as_bytes()).unwrap();
        body.into_secret([7; 32]).map(|(_, ms)| ms).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(overlap(json!({})), Ok(86_400_000));
    assert_eq!(overlap(json!({"overlap_seconds": 0})), Ok(0));
    assert_eq!(overlap(json!({"overlap_seconds": 604_800})), Ok(604_800_000));
    let text = "overlap_seconds must be from 0 to 604800, which is a week";
    assert_eq!(overlap(json!({"overlap_seconds": 604_801})).unwrap_err(), text);
    assert!(overlap(json!({"secret": "x"})).is_err());
}

#[test]
fn a_secret_is_not_shown_in_logs() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = NewWebhook { secret: secret.into(), ..NewWebhook::default() };
    assert!(!format!("{body:?}").contains(secret));
    let answer = WebhookWithSecret { secret: secret.to_owned(), webhook: webhook() };
    assert!(!format!("{answer:?}").contains(secret));
    assert_eq!(serde_json::to_value(&answer).unwrap()["secret"], secret);
}
