//! A file with a list of tasks, in Markdown.
//!
//! If the file has headings of the second level, each of them is a task, and what stands below it is
//! the content. Otherwise each item of a list at the outermost level is one: its first line is the
//! title, and the rest of it the content. Items that are checked off are left out. A title that
//! begins with `P0:`, `P1:`, `P2:` or `P3:` has that priority.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, OffsetIter, Options, Parser, Tag, TagEnd};

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

fn parse(text: &str) -> OffsetIter<'_> {
    Parser::new_ext(text, Options::ENABLE_TASKLISTS).into_offset_iter()
}

/// The sections below headings of the second level.
fn sections(text: &str) -> Vec<Entry> {
    let mut headings: Vec<(Range<usize>, bool)> = Vec::new();
    let mut depth = 0;
    for (event, range) in parse(text) {
        match event {
            Event::Start(Tag::Heading { level, .. }) if depth == 0 && level <= HeadingLevel::H2 => {
                headings.push((range, level == HeadingLevel::H2));
                depth += 1;
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    let ends = headings.iter().skip(1).map(|(range, _)| range.start).chain([text.len()]);
    let sections = headings.iter().zip(ends).filter(|((_, is_task), _)| *is_task);
    let entry = |((range, _), end): (&(Range<usize>, bool), usize)| {
        let title = text[range.clone()].trim().trim_matches('#');
        // A heading may also be underlined.
        let title = title.lines().next().unwrap_or_default();
        entry(title, &text[range.end..end])
    };
    sections.filter_map(entry).collect()
}

/// The items of the lists at the outermost level.
fn items(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut depth = 0;
    let (mut item, mut is_checked, mut content_start) = (0..0, false, None);
    for (event, range) in parse(text) {
        match event {
            // In a list, in which an item begins.
            Event::Start(Tag::Item) if depth == 1 => {
                (item, is_checked, content_start) = (range, false, None);
                depth += 1;
            }
            Event::End(TagEnd::Item) if depth == 2 => {
                if !is_checked && let Some(start) = content_start {
                    entries.extend(item_entry(&text[start..item.end], start, &text[item.clone()]));
                }
                depth -= 1;
            }
            Event::TaskListMarker(checked) => {
                if depth <= 3 && content_start.is_none() {
                    is_checked = checked;
                }
            }
            Event::Start(Tag::Paragraph) => depth += 1,
            Event::Start(_) => {
                if depth >= 2 && content_start.is_none() {
                    content_start = Some(range.start);
                }
                depth += 1;
            }
            Event::End(_) => depth -= 1,
            _ => {
                if depth >= 2 && content_start.is_none() {
                    content_start = Some(range.start);
                }
            }
        }
    }
    entries
}

/// The task of an item, whose own text begins at `start` of the file.
fn item_entry(own: &str, _: usize, item: &str) -> Option<Entry> {
    let (title, rest) = own.split_once('\n').unwrap_or((own, ""));
    // The text of an item is indented as far as its first line.
    let indent = item.find(own.lines().next()?).unwrap_or(0);
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
                    Port\n----\nText.\n\n# Later\n\n## P9: Odd\n";
        let expected = [
            entry(
                "Fix the login",
                Some("P1"),
                Some("It is *flaky*:\n\n- a\n- b\n\n### Acceptance\n\n```\n## no heading\n```"),
            ),
            entry("Cut the release", None, None),
            entry("Port", None, Some("Text.")),
            entry("P9: Odd", None, None),
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
