use super::{
    BodyError, Count, Flag, Id, Instant, JsonText, Patch, Plain, PlainProse, Prose, Text, Texts,
    parse_body,
};
use crate::Millis;

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
struct Body {
    text: Text,
    id: Id,
    at: Instant,
    json: JsonText,
    flag: Flag,
    count: Count,
    texts: Texts,
    patch: Patch<Plain>,
    prose: Prose,
    prose_patch: Patch<PlainProse>,
    at_patch: Patch<Millis>,
}

fn parse(body: &str) -> Result<Body, BodyError> {
    parse_body(body.as_bytes())
}

#[test]
fn falsy_values_count_as_left_out() {
    for falsy in ["null", "\"\"", "0", "0.0", "false"] {
        let body = parse(&format!(
            "{{\"text\":{falsy},\"id\":{falsy},\"at\":{falsy},\
            \"prose\":{falsy}}}"
        ))
        .unwrap();
        assert_eq!(body, Body::default(), "{falsy}");
    }
}

#[test]
fn whole_numbers_become_ids_and_nothing_else() {
    assert_eq!(parse(r#"{"id":12345}"#).unwrap().id, Id(Some("12345".into())));
    assert_eq!(parse(r#"{"id":5.0}"#).unwrap().id, Id(Some("5".into())));
    for bad in [r#"{"id":5.5}"#, r#"{"id":true}"#, r#"{"id":[]}"#, r#"{"text":5}"#] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn instants_are_text_or_milliseconds() {
    let at = |value: &str| parse(&format!("{{\"at\":{value}}}")).map(|body| body.at.0);
    assert_eq!(at("\"1970-01-01T00:00:01Z\""), Ok(Some(Millis(1_000))));
    assert_eq!(at("100000000000"), Ok(Some(Millis(100_000_000_000))));
    assert_eq!(at("1772445600123"), Ok(Some(Millis(1_772_445_600_123))));
    for bad in ["\"soon\"", "-1", "true", "[]", "{}", "1.5", "1e300"] {
        assert!(at(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_number_of_seconds_is_no_instant() {
    for field in ["at", "at_patch"] {
        for seconds in ["7", "1772445600", "1772445600.123", "99999999999"] {
            let text = parse(&format!("{{\"{field}\":{seconds}}}")).unwrap_err().to_string();
            let expected = format!(
                "Invalid value for {field}: a number is read as milliseconds since 1970, and \
                 {seconds} is too small for that: multiply seconds by 1000, or send ISO 8601 text"
            );
            assert_eq!(text, expected);
        }
    }
    assert_eq!(parse(r#"{"at_patch":0}"#).unwrap().at_patch, Patch::Set(Millis(0)));
}

#[test]
fn nul_becomes_the_replacement_character_in_what_people_write_and_nowhere_else() {
    let body = r#"{"prose":"a\u0000","prose_patch":"\u0000b","json":"[\u0000]"}"#;
    let read = parse(body).unwrap();
    assert_eq!(read.prose, Prose(Some("a\u{fffd}".into())));
    assert_eq!(read.prose_patch, Patch::Set(PlainProse("\u{fffd}b".into())));
    assert_eq!(read.json, JsonText(Some("[\u{fffd}]".into())));
    // Inside JSON a NUL is written as an escape, which is no NUL.
    let escaped = parse(r#"{"json":["\u0000"]}"#).unwrap().json;
    assert_eq!(escaped, JsonText(Some(r#"["\u0000"]"#.into())));
    for field in ["text", "id", "patch", "texts"] {
        let text = parse(&format!(r#"{{"{field}":"\u0000"}}"#)).unwrap_err().to_string();
        assert_eq!(text, format!("Invalid value for {field}: text must not contain NUL"));
    }
}

#[test]
fn half_a_surrogate_pair_is_read_in_every_kind_of_field() {
    let body = r#"{"text":"\ud83d","id":"\ud83d","json":"[\"\\ud83d\"]","texts":["\ud83d"],
        "patch":"\ud83d","prose":"\ud83d"}"#;
    let read = parse(body).unwrap();
    let half = || Some("\u{fffd}".to_owned());
    assert_eq!((read.text, read.id, read.prose), (Text(half()), Id(half()), Prose(half())));
    assert_eq!(read.json, JsonText(Some(r#"["\ufffd"]"#.into())));
    assert_eq!(read.texts, Texts(vec!["\u{fffd}".into()]));
    assert_eq!(read.patch, Patch::Set(Plain("\u{fffd}".into())));
}

#[test]
fn the_least_integer_is_refused_like_any_other() {
    for bad in ["-9223372036854775808", "9223372036854775807", "-9007199254740992"] {
        for field in ["id", "count", "flag", "at"] {
            assert!(parse(&format!("{{\"{field}\":{bad}}}")).is_err(), "{field} {bad}");
        }
    }
    let least = parse(r#"{"id":-9007199254740991}"#).unwrap().id;
    assert_eq!(least, Id(Some("-9007199254740991".into())));
}

#[test]
fn json_fields_take_json_and_its_text() {
    let json = |body| parse(body).unwrap().json.0;
    assert_eq!(json(r#"{"json":{"b":1,"a":[2]}}"#).as_deref(), Some(r#"{"b":1,"a":[2]}"#));
    assert_eq!(json(r#"{"json":"[1]"}"#).as_deref(), Some("[1]"));
    assert_eq!(json(r#"{"json":[]}"#), None);
    assert!(parse(r#"{"json":true}"#).is_err());
    assert!(parse(r#"{"json":7}"#).is_err());
}

#[test]
fn flags_and_counts_take_every_form_the_clients_send() {
    for yes in ["true", "1", "\"True\"", "1.0"] {
        assert!(parse(&format!("{{\"flag\":{yes}}}")).unwrap().flag.0, "{yes}");
    }
    for no in ["false", "0", "\"false\"", "null"] {
        assert!(!parse(&format!("{{\"flag\":{no}}}")).unwrap().flag.0, "{no}");
    }
    assert!(parse(r#"{"flag":"yes"}"#).is_err());
    assert_eq!(parse(r#"{"count":null}"#).unwrap().count, Count(0));
    assert_eq!(parse(r#"{"count":7.0}"#).unwrap().count, Count(7));
    for bad in ["-5", "5.7", "\"abc\"", "9007199254740992", "true", "1e300"] {
        assert!(parse(&format!("{{\"count\":{bad}}}")).is_err(), "{bad}");
    }
}

#[test]
fn one_text_or_many() {
    assert_eq!(parse(r#"{"texts":"a"}"#).unwrap().texts, Texts(vec!["a".into()]));
    assert_eq!(parse(r#"{"texts":["a","b"]}"#).unwrap().texts.0.len(), 2);
    assert_eq!(parse(r#"{"texts":[]}"#).unwrap().texts, Texts(vec![]));
    assert!(parse(r#"{"texts":[1]}"#).is_err());
}

#[test]
fn a_patch_tells_absent_from_null() {
    assert_eq!(parse("{}").unwrap().patch, Patch::Absent);
    assert_eq!(parse(r#"{"patch":null}"#).unwrap().patch, Patch::Null);
    assert_eq!(parse(r#"{"patch":""}"#).unwrap().patch, Patch::Set(Plain(String::new())));
}

#[test]
fn bodies_that_are_no_objects_have_no_fields() {
    for body in ["[]", "\"str\"", "7", "[\"a\",\"b\"]", "true"] {
        assert_eq!(parse(body).unwrap(), Body::default(), "{body}");
    }
    for body in ["", "null", "{", "{\"a\":1}x"] {
        assert_eq!(parse(body), Err(BodyError::NotJson), "{body}");
    }
}

#[test]
fn the_last_of_duplicate_keys_wins() {
    assert_eq!(parse(r#"{"text":"a","text":"b"}"#).unwrap().text, Text(Some("b".into())));
}

#[test]
fn a_refusal_names_the_field() {
    let error = parse(r#"{"texts":["a",{}]}"#).unwrap_err();
    assert!(error.to_string().starts_with("Invalid value for texts[1]: "), "{error}");
    let error = parse("{\"text\":\"a\\u0000b\"}").unwrap_err();
    assert_eq!(error.to_string(), "Invalid value for text: text must not contain NUL");
}
