//! Splits a dump into statements. Each byte is scanned once, and only one statement is held in
//! memory.

use std::io::{self, BufRead};

/// Splits a text of SQL.
pub(crate) struct Statements<R> {
    input: R,
    /// The number of bytes read.
    pub(crate) bytes: u64,
    /// The number of line breaks read.
    lines: u64,
}

/// A statement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ScannedStatement {
    /// Its text, with preceding whitespace and comments.
    pub(crate) text: Vec<u8>,
    /// The line in which it begins.
    pub(crate) line: u64,
    /// Whether it ends with a semicolon; otherwise the input was truncated.
    pub(crate) is_whole: bool,
}

/// What the next byte is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    /// Up to this byte.
    Quoted(u8),
    /// Code after a dash or a slash, which may begin a comment.
    Perhaps(u8),
    Line,
    Block,
    /// A comment after a star, which may end it.
    BlockStar,
}

impl<R: BufRead> Statements<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, bytes: 0, lines: 0 }
    }

    /// The next statement. Whitespace and comments alone are not a statement.
    pub(crate) fn next(&mut self) -> io::Result<Option<ScannedStatement>> {
        let mut text = Vec::new();
        let mut state = State::Code;
        let mut line = None;
        loop {
            let from = text.len();
            if self.input.read_until(b';', &mut text)? == 0 {
                let is_inside = line.is_some() || !matches!(state, State::Code | State::Line);
                let line = line.unwrap_or(self.lines + 1);
                return Ok(is_inside.then_some(ScannedStatement { text, line, is_whole: false }));
            }
            self.bytes += (text.len() - from) as u64;
            for byte in &text[from..] {
                let before = state;
                state = before.after(*byte);
                if line.is_none() && before.begins(*byte, state) {
                    line = Some(self.lines + 1);
                }
                self.lines += u64::from(*byte == b'\n');
            }
            let is_end = text.ends_with(b";") && state == State::Code;
            if let Some(line) = line.filter(|_| is_end && !ends_inside_a_trigger(&text)) {
                return Ok(Some(ScannedStatement { text, line, is_whole: true }));
            }
        }
    }
}

impl State {
    /// The state after another byte.
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Quoted(end), byte) if byte == end => Self::Code,
            (Self::Line, b'\n') | (Self::BlockStar, b'/') => Self::Code,
            (Self::Quoted(_) | Self::Line, _) => self,
            (Self::Block | Self::BlockStar, b'*') => Self::BlockStar,
            (Self::Block | Self::BlockStar, _) | (Self::Perhaps(b'/'), b'*') => Self::Block,
            (Self::Perhaps(b'-'), b'-') => Self::Line,
            (_, b'\'' | b'"' | b'`') => Self::Quoted(byte),
            (_, b'[') => Self::Quoted(b']'),
            (_, b'-' | b'/') => Self::Perhaps(byte),
            _ => Self::Code,
        }
    }

    /// Whether a byte that changes this state to `after` is part of a statement.
    fn begins(self, byte: u8, after: Self) -> bool {
        /// Whitespace, and the byte order mark.
        const BLANKS: [u8; 7] = [b' ', b'\t', b'\r', b'\n', 0xEF, 0xBB, 0xBF];
        match (self, after) {
            (_, Self::Quoted(_)) | (Self::Perhaps(_), Self::Code | Self::Perhaps(_)) => true,
            (Self::Code, Self::Code) => !BLANKS.contains(&byte),
            _ => false,
        }
    }
}

/// Whether the semicolon at the end is inside a trigger body.
fn ends_inside_a_trigger(text: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&text[..text.len().min(200)]).to_ascii_uppercase();
    let mut words = head.split_whitespace();
    let is_trigger = words.next() == Some("CREATE")
        && words.find(|word| !matches!(*word, "TEMP" | "TEMPORARY")) == Some("TRIGGER");
    let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(20)..]).to_ascii_uppercase();
    is_trigger && !tail.trim_end_matches(';').trim_end().ends_with("END")
}

#[cfg(test)]
mod tests {
    use super::Statements;

    fn split(text: &str) -> Vec<(String, u64, bool)> {
        let mut statements = Statements::new(text.as_bytes());
        let mut found = Vec::new();
        while let Some(one) = statements.next().unwrap() {
            let text = String::from_utf8(one.text).unwrap().trim().to_owned();
            found.push((text, one.line, one.is_whole));
        }
        assert_eq!(statements.bytes, text.len() as u64);
        found
    }

    #[test]
    fn statements_end_at_semicolons_that_are_no_part_of_a_text_or_a_comment() {
        let text = "\n\nSELECT 'a;''b\n;' ;-- c; d\nSELECT \"x;\" , [y;], `z;` /* ; * ; */;\n\
             CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; DELETE FROM c; END;\nSELECT 3-2;\n";
        let found = split(text);
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], ("SELECT 'a;''b\n;' ;".to_owned(), 3, true));
        assert_eq!((found[1].1, found[2].1, found[3].1), (5, 6, 7));
        assert!(found[2].0.ends_with("END;"));
    }

    #[test]
    fn an_end_inside_a_statement_is_told_from_one_after_it() {
        for whole in ["", "SELECT 1;", "SELECT 1;\n-- the end", "\u{feff}SELECT 1;  \n"] {
            assert!(split(whole).iter().all(|(_, _, is_whole)| *is_whole), "{whole}");
        }
        for cut in ["SELECT 1;\nINSERT INTO", "SELECT 1;\nSELECT 'a;", "SELECT 1;\n/* a"] {
            let found = split(cut);
            assert!(!found[1].2 && found[1].1 == 2, "{found:?}");
        }
    }
}
