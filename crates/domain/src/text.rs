//! Texts of clients in errors and log lines: they are shown in part, so that nothing grows with them.

use std::borrow::Cow;

/// Characters of a text that are shown in an error.
pub const SHOWN_MAX: usize = 100;
/// Names that are listed in an error.
pub const LISTED_MAX: usize = 20;

/// The beginning of a text that is at most so many bytes long.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// What an error shows of a text that a client sent, so that no answer and no log line grows with it.
pub fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// What an error lists of names: the first few, and a sign that there are more.
pub fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let mut shown: Vec<_> =
        names.iter().take(LISTED_MAX).map(|name| shown(name.as_ref())).collect();
    if names.len() > LISTED_MAX {
        shown.push("…".into());
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{LISTED_MAX, SHOWN_MAX, cut, listed, shown};

    #[test]
    fn an_error_shows_the_beginning_of_a_long_text() {
        let fits = "ü".repeat(SHOWN_MAX);
        assert_eq!(shown(&fits), fits);
        assert_eq!(shown(&format!("{fits}x")), format!("{fits}…"));
        assert_eq!(cut("aüb", 2), "a");
        assert_eq!(cut("aüb", 3), "aü");
        assert_eq!(cut("aüb", 9), "aüb");
    }

    #[test]
    fn an_error_lists_the_first_names() {
        assert_eq!(listed(&["a", "b"]), "a, b");
        let many = vec!["n".repeat(1_000); LISTED_MAX + 1];
        let text = listed(&many);
        assert!(text.ends_with("…, …"), "{text}");
        assert!(text.len() < LISTED_MAX * (SHOWN_MAX + 8), "{}", text.len());
    }
}
