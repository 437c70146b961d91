//! A file with a list of tasks, in Markdown.
//!
//! If the file has headings of the second level, each of them is a task, and what stands below it is
//! the content. Otherwise each item of a list at the outermost level is one: its first line is the
//! title, and the rest of it the content. Items that are checked off are left out. A title that
//! begins with `P0:`, `P1:`, `P2:` or `P3:` has that priority.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag};

/// A task of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) title: String,
    pub(crate) priority: Option<String>,
    pub(crate) content: Option<String>,
}

/// The tasks in a text.
pub(crate) fn entries(text: &str) -> Vec<Entry> {
    let sections = sections(text);
    if sections.is_empty() { items(text) } else { sections }
}

/// Where in a text the elements are that are this deep in others.
fn elements(text: &str, wanted_depth: usize) -> Vec<(Tag<'_>, Range<usize>)> {
    let (mut elements, mut depth) = (Vec::new(), 0);
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                if depth == wanted_depth {
                    elements.push((tag, range));
                }
                depth += 1;
            }
            Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    elements
}

/// The sections below headings of the second level.
fn sections(text: &str) -> Vec<Entry> {
    let level = |(tag, range)| match tag {
        Tag::Heading { level, .. } if level <= HeadingLevel::H2 => Some((level, range)),
        _ => None,
    };
    let headings: Vec<_> = elements(text, 0).into_iter().filter_map(level).collect();
    let ends = headings.iter().skip(1).map(|(_, range)| range.start).chain([text.len()]);
    let section = |((level, range), end): (&(HeadingLevel, Range<usize>), usize)| {
        // The title of a heading that is underlined is its first line.
        let line = text[range.clone()].lines().next().unwrap_or_default();
        let title = heading_title(line.trim());
        (*level == HeadingLevel::H2).then(|| entry(title, &text[range.end..end])).flatten()
    };
    headings.iter().zip(ends).filter_map(section).collect()
}

/// The title in a heading, which may be between marks: `## Title ##`.
fn heading_title(line: &str) -> &str {
    let title = line.trim_start_matches('#');
    match title.trim_end_matches('#') {
        closed if closed.ends_with(' ') => closed,
        _ => title,
    }
}

/// The items of the lists at the outermost level.
fn items(text: &str) -> Vec<Entry> {
    let items = elements(text, 1).into_iter().filter(|(tag, _)| matches!(tag, Tag::Item));
    items.filter_map(|(_, range)| item(&text[range])).collect()
}

/// The task of an item of a list, from its mark on: `-`, `*`, `+`, `1.` or `1)`.
fn item(text: &str) -> Option<Entry> {
    let (_, after) = text.split_once(char::is_whitespace)?;
    let own = after.trim_start_matches(' ');
    let indent = text.len() - own.len();
    let own = match own.get(..3) {
        Some("[x]" | "[X]") => return None,
        Some("[ ]") => &own[3..],
        _ => own,
    };
    let (title, rest) = own.split_once('\n').unwrap_or((own, ""));
    // The text of an item is indented as far as its first line.
    let outdented = rest.lines().map(|line| {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        line[spaces.min(indent)..].to_owned() + "\n"
    });
    entry(title, &outdented.collect::<String>())
}

fn entry(title: &str, content: &str) -> Option<Entry> {
    let title = title.trim();
    let (priority, title) = match title.split_once(':') {
        Some((word @ ("P0" | "P1" | "P2" | "P3"), rest)) => (Some(word.to_owned()), rest.trim()),
        _ => (None, title),
    };
    let content = content.trim_matches('\n').trim_end();
    let content = (!content.trim().is_empty()).then(|| content.to_owned());
    (!title.is_empty()).then(|| Entry { title: title.to_owned(), priority, content })
}

#[cfg(test)]
mod tests {
    use super::{Entry, entries};

    fn entry(title: &str, priority: Option<&str>, content: Option<&str>) -> Entry {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Entry { title: title.to_owned(), priority: owned(priority), content: owned(content) }
    }

    #[test]
    fn each_heading_of_the_second_level_is_a_task() {
        let text = "# Plan\n\nIntro.\n\n## P1: Fix the login\n\nIt is *flaky*:\n\n- a\n- b\n\n\
                    ### Acceptance\n\n```\n## no heading\n```\n\n## Cut the release ##\n\
                    Port\n----\nText.\n\n# Later\n\n## P9: Learn C#\n";
        let expected = [
            entry(
                "Fix the login",
                Some("P1"),
                Some("It is *flaky*:\n\n- a\n- b\n\n### Acceptance\n\n```\n## no heading\n```"),
            ),
            entry("Cut the release", None, None),
            entry("Port", None, Some("Text.")),
            entry("P9: Learn C#", None, None),
        ];
        assert_eq!(entries(text), expected);
    }

    #[test]
    fn otherwise_each_item_of_a_list_is_a_task() {
        let text = "Things to do:\n\n- [ ] P0: Fix the login\n- [x] Was done\n\
                    - Port the `parser`\n  to *winnow*:\n  - first\n  - second\n\n1. One\n\n   \
                    Its text.\n\n       indented\n2. Two\n\n> - quoted\n";
        let expected = [
            entry("Fix the login", Some("P0"), None),
            entry("Port the `parser`", None, Some("to *winnow*:\n- first\n- second")),
            entry("One", None, Some("Its text.\n\n    indented")),
            entry("Two", None, None),
        ];
        assert_eq!(entries(text), expected);
    }

    #[test]
    fn what_has_neither_has_no_tasks() {
        for text in ["", "Just text.\n", "# Title\n", "- \n- [x] done\n"] {
            assert_eq!(entries(text), [], "{text:?}");
        }
    }
}
