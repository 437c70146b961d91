use proptest::prelude::*;

use super::{Reader, Tool, input};
use crate::{
    classify::{Exit, classify},
    facts::{Facts, Kind, Printed},
    lines::{Line, Splitter},
};

const TOOLS: [Tool; 5] = [Tool::Claude, Tool::Codex, Tool::Opencode, Tool::Gemini, Tool::Plain];

fn facts(tool: Tool, lines: &[&str]) -> Facts {
    let mut reader = Reader::new(tool);
    for line in lines {
        reader.output(Line::Whole(line.as_bytes()));
    }
    reader.into_facts()
}

fn command(line: &str) -> String {
    let mut words = line.split(' ').map(Into::into);
    let tool = Tool::of_program(
        words.next().and_then(|word: std::ffi::OsString| word.into_string().ok()).unwrap().as_str(),
    );
    let arguments = tool.arguments(words.collect());
    let arguments: Vec<_> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    arguments.join(" ")
}

#[test]
fn a_program_is_known_by_the_name_of_its_file() {
    for (program, tool) in [
        ("claude", Tool::Claude),
        ("/usr/bin/codex", Tool::Codex),
        ("C:\\bin\\opencode.cmd", Tool::Opencode),
        ("./gemini.exe", Tool::Gemini),
        ("claude-wrapper", Tool::Plain),
        ("npx", Tool::Plain),
        ("", Tool::Plain),
    ] {
        assert_eq!(Tool::of_program(program), tool, "{program}");
    }
}

#[test]
fn output_options_are_added_where_they_are_missing() {
    for (line, expected) in [
        ("claude -p", "-p --output-format stream-json --verbose"),
        (
            "claude --print --verbose --model m",
            "--print --verbose --model m --output-format stream-json",
        ),
        ("claude -p --output-format=stream-json", "-p --output-format=stream-json --verbose"),
        ("claude -p --output-format json", "-p --output-format json"),
        ("claude -p -- --verbose", "-p --output-format stream-json --verbose -- --verbose"),
        ("claude -pc", "-pc --output-format stream-json --verbose"),
        ("claude mcp list", "mcp list"),
        ("codex -a never exec -s read-only", "-a never exec --json -s read-only"),
        ("codex exec resume --last -", "exec resume --json --last -"),
        ("codex -m e exec", "-m e exec --json"),
        ("codex e", "e --json"),
        ("codex exec --json", "exec --json"),
        ("codex login", "login"),
        ("opencode run --auto", "run --format json --auto"),
        ("opencode run --format default x", "run --format default x"),
        ("opencode models", "models"),
        ("gemini -m x", "-m x -o stream-json"),
        ("gemini -ojson", "-ojson"),
        ("gemini --output-format=json", "--output-format=json"),
        ("gemini mcp list", "mcp list"),
        ("make agent", "agent"),
    ] {
        assert_eq!(command(line), expected, "{line}");
    }
}

#[test]
fn no_option_that_skips_permissions_is_ever_added() {
    for line in ["claude -p", "codex exec", "opencode run", "gemini", "other"] {
        let given = command(line);
        for word in ["skip", "bypass", "danger", "yolo", "auto", "trust", "allow", "permission"] {
            assert!(!given.contains(word), "{given}");
        }
    }
}

#[test]
fn a_prompt_ends_with_one_newline() {
    assert_eq!(input("do it"), b"do it\n");
    assert_eq!(input("do it\n"), b"do it\n");
    assert_eq!(input(""), b"\n");
}

#[test]
fn claude_usage_is_that_of_the_last_result() {
    let first =
        r#"{"type":"result","is_error":false,"num_turns":1,"total_cost_usd":0.1,"result":"a"}"#;
    let last = r#"{"usage":{"input_tokens":100,"cache_creation_input_tokens":7,"cache_read_input_tokens":50,
        "output_tokens":20},"modelUsage":{"small":{"outputTokens":1},"large":{"outputTokens":19}},
        "total_cost_usd":0.0024000000000000002,"num_turns":3,"is_error":false,"result":"b","type":"result"}"#;
    let facts = facts(Tool::Claude, &[first, &last.replace('\n', "")]);
    let usage = &facts.usage;
    assert_eq!(
        (usage.input_tokens, usage.cached_tokens, usage.output_tokens),
        (Some(107), Some(50), Some(20))
    );
    assert_eq!(
        (usage.turns, usage.cost_usd.as_deref(), usage.model.as_deref()),
        (Some(3), Some("0.0024"), Some("large"))
    );
    assert_eq!((usage.wall_seconds, facts.summary.as_str()), (None, "b"));
}

#[test]
fn claude_can_overflow_without_an_error() {
    let line = r#"{"type":"result","is_error":false,"subtype":"success","terminal_reason":"prompt_too_long"}"#;
    let facts = facts(Tool::Claude, &[line]);
    let verdict = classify(Tool::Claude, Exit::Code(0), false, &facts);
    assert_eq!(verdict.outcome, crate::classify::Outcome::Failed("context_overflow"));
}

#[test]
fn claude_tells_when_a_limit_is_reset() {
    let event = |status: &str, at: &str| {
        let line = format!(
            r#"{{"type":"rate_limit_event","rate_limit_info":{{"status":"{status}","resetsAt":{at}}}}}"#
        );
        facts(Tool::Claude, &[&line]).not_before.map(|at| at.0)
    };
    assert_eq!(event("rejected", "1795648319"), Some(1_795_648_319_000));
    assert_eq!(event("allowed_warning", "1795648319"), None);
    assert_eq!(event("rejected", "9007199254740991"), None);
    assert_eq!(event("rejected", "\"soon\""), None);
}

#[test]
fn codex_counts_cached_tokens_as_input() {
    let line = r#"{"type":"turn.completed","usage":{"input_tokens":100,"cached_input_tokens":60,"output_tokens":5}}"#;
    let usage = facts(Tool::Codex, &[line]).usage;
    assert_eq!(
        (usage.input_tokens, usage.cached_tokens, usage.output_tokens),
        (Some(40), Some(60), Some(5))
    );
    assert_eq!((usage.cost_usd, usage.turns, usage.model), (None, None, None));
}

#[test]
fn opencode_usage_is_the_sum_of_its_steps() {
    let step = r#"{"type":"step_finish","part":{"reason":"stop","cost":0.1,"tokens":{"input":10,"output":2,
        "reasoning":3,"cache":{"write":1,"read":4}}}}"#;
    let step = step.replace('\n', "");
    let free = r#"{"type":"step_finish","part":{"reason":"stop","cost":0,"tokens":{"input":1}}}"#;
    let usage = facts(Tool::Opencode, &[&step, &step, free]).usage;
    assert_eq!(
        (usage.input_tokens, usage.cached_tokens, usage.output_tokens),
        (Some(23), Some(8), Some(10))
    );
    assert_eq!((usage.cost_usd.as_deref(), usage.turns), (Some("0.2"), Some(3)));
    assert_eq!(facts(Tool::Opencode, &[free]).usage.cost_usd, None);
}

#[test]
fn opencode_tells_after_which_time_to_ask_again() {
    let line = r#"{"type":"error","timestamp":1795645229705,"error":{"name":"APIError","data":{"statusCode":429,
        "responseHeaders":{"retry-after":"60"}}}}"#;
    let facts = facts(Tool::Opencode, &[&line.replace('\n', "")]);
    assert_eq!(facts.not_before.map(|at| at.0), Some(1_795_645_289_705));
}

#[test]
fn gemini_names_the_model_that_wrote_most() {
    let line = r#"{"type":"result","status":"success","stats":{"input":40,"cached":60,"output_tokens":7,
        "models":{"router":{"output_tokens":1},"pro":{"output_tokens":6},"unused":{"output_tokens":0}}}}"#;
    let init = r#"{"type":"init","session_id":"s","model":"auto"}"#;
    let facts = facts(Tool::Gemini, &[init, &line.replace('\n', "")]);
    let usage = &facts.usage;
    assert_eq!(
        (usage.input_tokens, usage.cached_tokens, usage.output_tokens),
        (Some(40), Some(60), Some(7))
    );
    assert_eq!((usage.model.as_deref(), facts.session.as_deref()), (Some("pro"), Some("s")));
}

#[test]
fn gemini_words_a_rate_limit_as_a_quota() {
    let line = r#"{"type":"result","status":"error","error":{
        "message":"You exceeded your current quota, please check your plan and billing details"}}"#;
    let facts = facts(Tool::Gemini, &[&line.replace('\n', "")]);
    let verdict = classify(Tool::Gemini, Exit::Code(173), false, &facts);
    assert_eq!(verdict.outcome, crate::classify::Outcome::Failed("provider_limit"));
}

#[test]
fn progress_shows_texts_tools_and_notices() {
    let shown = |tool: Tool, line: &str| {
        let progress = Reader::new(tool).output(Line::Whole(line.as_bytes()));
        progress.map(|progress| (progress.kind, progress.text))
    };
    let is = |kind, text: &str| Some((kind, text.to_owned()));
    let line = r#"{"type":"assistant","message":{"content":[
        {"type":"tool_use","name":"Bash","input":{"command":"ls\n-l"}}]}}"#;
    assert_eq!(shown(Tool::Claude, line), is(Kind::Tool, "Bash ls -l"));
    let line = r#"{"type":"error","message":"Reconnecting... 1/5"}"#;
    assert_eq!(shown(Tool::Codex, line), is(Kind::Notice, "Reconnecting... 1/5"));
    let line = r#"{"type":"text","part":{"text":"Hello"}}"#;
    assert_eq!(shown(Tool::Opencode, line), is(Kind::Text, "Hello"));
    let line = r#"{"type":"tool_use","tool_name":"grep_search","parameters":{}}"#;
    assert_eq!(shown(Tool::Gemini, line), is(Kind::Tool, "grep_search"));
    assert_eq!(shown(Tool::Plain, line), is(Kind::Text, line));
    assert_eq!(shown(Tool::Claude, "not JSON"), is(Kind::Text, "not JSON"));
}

#[test]
fn output_that_is_not_utf_8_is_read() {
    let mut reader = Reader::new(Tool::Codex);
    let line =
        b"{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"caf\xe9\"}}";
    reader.output(Line::Whole(line));
    assert_eq!(reader.facts().summary, "caf\u{fffd}");
}

#[test]
fn deeply_nested_json_is_skipped() {
    let line = format!("{{\"type\":\"result\",\"x\":{}", "[".repeat(1 << 20));
    for tool in TOOLS {
        assert_eq!(facts(tool, &[&line]).printed, Printed::Text);
    }
}

/// Values of any shape at the keys that the adapters look at.
fn events() -> impl Strategy<Value = String> {
    let keys = "type|subtype|is_error|result|errors|usage|part|item|error|data|message|content|role|\
                status|stats|models|modelUsage|reason|tokens|cost|permission_denials|timestamp|\
                rate_limit_info|resetsAt|state|tool|input|output|input_tokens|total_cost_usd|name";
    let words = "result|assistant|system|init|success|error|text|tool_use|step_finish|stop|rejected|\
                 turn\\.completed|turn\\.failed|item\\.completed|message|rate_limit_event|tool_result";
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| serde_json::json!(number).to_string()),
        words.prop_map(|word: String| format!("{word:?}")),
        any::<String>().prop_map(|text| serde_json::json!(text).to_string()),
        Just("true".to_owned()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        let object = prop::collection::vec((keys, inner), 0..6);
        prop_oneof![
            list.prop_map(|items| format!("[{}]", items.join(","))),
            object.prop_map(|pairs| {
                let pairs: Vec<_> =
                    pairs.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    })
}

fn read_all(pieces: &[&[u8]], code: i32) {
    for tool in TOOLS {
        let mut reader = Reader::new(tool);
        let mut splitter = Splitter::new(4_096);
        for piece in pieces {
            splitter.push(piece, |line| {
                reader.output(line);
                reader.error(line);
            });
        }
        splitter.finish(|line| {
            reader.output(line);
            reader.error(line);
        });
        for exit in [Exit::Code(code), Exit::Signal(code)] {
            let _ = classify(tool, exit, false, reader.facts());
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        code in any::<i32>(),
    ) {
        read_all(&[&bytes], code);
    }

    #[test]
    fn events_of_any_shape_never_panic(
        kind in "result|assistant|system|step_finish|error|item\\.completed|turn\\.failed|tool_use",
        value in events(),
        cut in 0..400_usize,
    ) {
        let line = format!(
            "{{\"type\":\"{kind}\",\"item\":{value},\"part\":{value},\
             \"message\":{value},\"stats\":{value}}}"
        );
        let bytes = line.as_bytes();
        read_all(&[value.as_bytes(), b"\n", bytes, b"\n", &bytes[..cut.min(bytes.len())]], 0);
    }
}
