//! What an agent is told: the task, what came back earlier, and how its run ends.

use std::fmt::Write as _;

use octopoid_domain::{ClaimedTask, text::cut};

/// Bytes of the checkpoint that stand in a prompt.
const CHECKPOINT_BYTES_MAX: usize = 16 << 10;

/// A template is refused for this reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It names a variable that there is not.
    #[error(
        "the prompt template has the unknown variable {{{{{0}}}}}: the variables are {known}",
        known = VARIABLES.join(", ")
    )]
    Unknown(String),
    /// A variable has no end.
    #[error("the prompt template has {{{{ without }}}}")]
    Open,
}

/// The variables of a template.
pub const VARIABLES: [&str; 12] = [
    "id",
    "title",
    "content",
    "acceptance",
    "feedback",
    "previous",
    "checkpoint",
    "ending",
    "branch",
    "base",
    "attempt",
    "diff",
];

/// The template that is used unless the user names another.
const WORK: &str = "\
You work alone on one task of a queue, in a git work tree of your own, on the branch {{branch}}, which was
made from {{base}}. Work only in this folder. Do not wait for answers: a question ends your run.

# {{title}}

{{content}}
{{acceptance}}{{feedback}}{{previous}}{{checkpoint}}{{ending}}";

/// The template of a review.
const REVIEW: &str = "\
You review the work of another agent on one task. You are in a git work tree with its result, which was
made from {{base}}. Change nothing. Judge whether the work does what the task asks, and whether it does so
correctly.

# {{title}}

{{content}}
{{acceptance}}{{feedback}}{{previous}}
## The change

{{diff}}
{{ending}}";

/// A checked template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(&'static str),
}

impl Template {
    /// Checks a template: text with variables such as `{{title}}`.
    pub fn parse(mut text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        while let Some((before, after)) = text.split_once("{{") {
            let (name, rest) = after.split_once("}}").ok_or(TemplateError::Open)?;
            let known = VARIABLES.into_iter().find(|known| *known == name.trim());
            parts.push(Part::Text(before.to_owned()));
            let unknown = || TemplateError::Unknown(cut(name.trim(), 80).to_owned());
            parts.push(Part::Variable(known.ok_or_else(unknown)?));
            text = rest;
        }
        parts.push(Part::Text(text.to_owned()));
        Ok(Self { parts })
    }

    /// The template for work.
    pub fn work() -> Self {
        Self::parse(WORK).expect("its variables are known")
    }

    /// The template for reviews.
    pub fn review() -> Self {
        Self::parse(REVIEW).expect("its variables are known")
    }

    /// The prompt. What a task says is never read as a template.
    pub fn render(&self, context: &Context<'_>) -> String {
        self.parts.iter().fold(String::new(), |mut prompt, part| {
            match part {
                Part::Text(text) => prompt.push_str(text),
                Part::Variable(name) => prompt.push_str(&context.value(name)),
            }
            prompt
        })
    }
}

/// What a prompt is made of.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The task.
    pub task: &'a ClaimedTask,
    /// The branch of the work tree.
    pub branch: &'a str,
    /// The branch that it was made from, with the commit.
    pub base: &'a str,
    /// How an agent ends its run.
    pub ending: &'a str,
    /// The change that is reviewed; empty for work.
    pub diff: &'a str,
}

impl Context<'_> {
    fn value(&self, name: &str) -> String {
        let task = self.task;
        let content = task.content.as_deref().unwrap_or_default();
        let (content, acceptance) = split_acceptance(content);
        match name {
            "id" => task.id.clone(),
            "title" => one_line(task.title.as_deref().unwrap_or("(no title)")),
            "content" => content.trim().to_owned(),
            "acceptance" => section("Acceptance", acceptance.trim()),
            "feedback" => section("What came back earlier, the newest first", &self.feedback()),
            "previous" => section("The attempt before this one", &self.previous()),
            "checkpoint" => section("Notes of the attempt before", &self.checkpoint()),
            "ending" => format!("\n{}\n", self.ending.trim()),
            "branch" => self.branch.to_owned(),
            "base" => self.base.to_owned(),
            "attempt" => task.attempt.map(|attempt| attempt.to_string()).unwrap_or_default(),
            _ => self.diff.to_owned(),
        }
    }

    fn feedback(&self) -> String {
        self.task.feedback.iter().fold(String::new(), |mut text, said| {
            let kind = if said.kind == "answer" { "answered" } else { "rejected the work" };
            let _ = writeln!(text, "* {} {kind}: {}", said.by, said.text.trim());
            text
        })
    }

    fn previous(&self) -> String {
        let Some(previous) = &self.task.previous else { return String::new() };
        let mut text = String::new();
        let reason = previous.reason.as_deref().map(|reason| format!(" ({reason})"));
        let message = previous.message.as_deref().map(|message| format!(": {}", message.trim()));
        let _ = writeln!(
            text,
            "Run {} was {}{}{}",
            previous.run,
            previous.outcome.as_str(),
            reason.unwrap_or_default(),
            message.unwrap_or_default()
        );
        if !previous.failed_checks.is_empty() {
            let _ = writeln!(text, "Checks that failed: {}", previous.failed_checks.join(", "));
        }
        if let Some(summary) = previous.summary.as_deref().filter(|summary| !summary.is_empty()) {
            let _ = writeln!(text, "It said: {}", summary.trim());
        }
        text
    }

    fn checkpoint(&self) -> String {
        let text = match &self.task.checkpoint {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => text.clone(),
            value => serde_json::to_string_pretty(value).unwrap_or_default(),
        };
        cut(&text, CHECKPOINT_BYTES_MAX).to_owned()
    }
}

fn section(title: &str, text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        text => format!("\n## {title}\n\n{text}\n"),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Takes the section `Acceptance` out of a Markdown text: from its heading to the next one of the same
/// or a higher level.
pub fn split_acceptance(content: &str) -> (String, String) {
    let (mut rest, mut acceptance) = (String::new(), String::new());
    let (mut level_of_section, mut is_code) = (None, false);
    for line in content.split_inclusive('\n') {
        let trimmed = line.trim();
        is_code ^= trimmed.starts_with("```");
        let level = trimmed.bytes().take_while(|byte| *byte == b'#').count();
        let title = trimmed[level..].trim().trim_end_matches([':', '#', ' ']);
        let is_heading = !is_code && (1..=6).contains(&level) && trimmed[level..].starts_with(' ');
        if is_heading {
            if level_of_section.is_some_and(|of_section| level <= of_section) {
                level_of_section = None;
            }
            let word = title.to_lowercase();
            if level_of_section.is_none() && (word == "acceptance" || word == "acceptance criteria")
            {
                level_of_section = Some(level);
                continue;
            }
        }
        if level_of_section.is_some() { &mut acceptance } else { &mut rest }.push_str(line);
    }
    (rest, acceptance)
}

#[cfg(test)]
mod tests {
    use octopoid_domain::ClaimedTask;
    use proptest::prelude::*;
    use serde_json::json;

    use super::{Context, Template, TemplateError, split_acceptance};

    fn task(more: &serde_json::Value) -> ClaimedTask {
        let mut task = serde_json::to_value(ClaimedTask::default()).unwrap();
        task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(task).unwrap()
    }

    fn rendered(template: &str, task: &ClaimedTask) -> String {
        let (branch, base, ending, diff) = ("agent/t", "main at 1", "Then stop.", "+x");
        let context = Context { task, branch, base, ending, diff };
        Template::parse(template).unwrap().render(&context)
    }

    #[test]
    fn an_unknown_variable_is_refused() {
        let unknown = Template::parse("a {{titel}} b").unwrap_err();
        assert_eq!(unknown, TemplateError::Unknown("titel".to_owned()));
        assert!(unknown.to_string().contains("{{titel}}") && unknown.to_string().contains("title"));
        assert_eq!(Template::parse("a {{title"), Err(TemplateError::Open));
        assert!(Template::parse("{title} }} { {").is_ok());
    }

    #[test]
    fn what_a_task_says_is_no_template() {
        let task = task(&json!({ "title": "Use {{id}}\nhere", "content": "{{nothing}}" }));
        assert_eq!(rendered("{{ title }}: {{content}}", &task), "Use {{id}} here: {{nothing}}");
    }

    #[test]
    fn the_default_prompts_have_everything_that_is_known() {
        let task = task(&json!({
            "id": "t",
            "title": "Port it",
            "content": "Do it.\n\n## Acceptance\n\nIt works.\n\n## Notes\n\nCareful.",
            "attempt": 2,
            "feedback": [
                { "kind": "rejection", "by": "ann", "text": "No tests.", "at": "1970-01-01T00:00:00Z" },
                { "kind": "answer", "by": "bob", "text": "9090", "at": "1970-01-01T00:00:00Z" },
            ],
            "checkpoint": { "step": 3 },
            "previous": {
                "run": 1, "outcome": "failed", "reason": "check_failed", "message": "cargo test",
                "summary": "I tried.", "failed_checks": ["cargo test"],
            },
        }));
        let (branch, base, ending, diff) = ("agent/t", "main at 1", "Then stop.", "+x");
        let context = Context { task: &task, branch, base, ending, diff };
        let work = Template::work().render(&context);
        for part in [
            "# Port it\n\nDo it.\n\n## Notes\n\nCareful.",
            "## Acceptance\n\nIt works.\n",
            "* ann rejected the work: No tests.\n* bob answered: 9090\n",
            "Run 1 was failed (check_failed): cargo test\n",
            "Checks that failed: cargo test\nIt said: I tried.\n",
            "\"step\": 3",
            "agent/t",
            "main at 1",
            "\nThen stop.\n",
        ] {
            assert!(work.contains(part), "{part}\n---\n{work}");
        }
        let review = Template::review().render(&context);
        assert!(review.contains("## The change\n\n+x\n") && review.contains("Then stop."));
    }

    #[test]
    fn sections_that_say_nothing_are_left_out() {
        let prompt =
            rendered("{{acceptance}}{{feedback}}{{previous}}{{checkpoint}}", &task(&json!({})));
        assert_eq!(prompt, "");
    }

    #[test]
    fn acceptance_ends_where_its_section_does() {
        for (content, rest, acceptance) in [
            ("a\n# Acceptance\nb\n## c\nd\n# e\nf", "a\n# e\nf", "b\n## c\nd\n"),
            ("## Acceptance criteria:\nb", "", "b"),
            ("```\n# Acceptance\n```\n", "```\n# Acceptance\n```\n", ""),
            ("#Acceptance\na", "#Acceptance\na", ""),
            ("## Acceptance\n```\n# no heading\n```\n## b\n", "## b\n", "```\n# no heading\n```\n"),
        ] {
            assert_eq!(
                split_acceptance(content),
                (rest.to_owned(), acceptance.to_owned()),
                "{content}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_is_lost_but_headings(content in "(#{0,3} ?(Acceptance|[a-z]{0,3})\n){0,6}") {
            let (rest, acceptance) = split_acceptance(&content);
            let count = |text: &str| text.lines().filter(|line| !line.contains("Acceptance")).count();
            prop_assert_eq!(count(&rest) + count(&acceptance), count(&content));
        }
    }
}
