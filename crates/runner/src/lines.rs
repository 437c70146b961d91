//! Splits the output of a program into lines, in bounded memory.

/// The longest line that is read whole. Programs print the text of an answer and the output of a
/// command in one line.
pub const LINE_BYTES_MAX: usize = 4 << 20;

/// A buffer that is larger than this after a long line is given back.
const BUFFER_KEPT_BYTES: usize = 64 << 10;

/// One line, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole line. The last one may lack its newline: the program may have been killed in it.
    Whole(&'a [u8]),
    /// The beginning of a line that was longer than the limit. The rest is dropped.
    Cut(&'a [u8]),
}

/// Collects the pieces in which output arrives, and calls back for each line. It holds at most one
/// line, up to the limit.
#[derive(Debug)]
pub struct Splitter {
    started: Vec<u8>,
    bytes_max: usize,
    is_cut: bool,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new(LINE_BYTES_MAX)
    }
}

impl Splitter {
    /// A splitter for lines of at most so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { started: Vec::new(), bytes_max, is_cut: false }
    }

    /// Takes the next piece of output.
    pub fn push(&mut self, mut piece: &[u8], mut on_line: impl FnMut(Line<'_>)) {
        while let Some(at) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&piece[..at], &piece[at + 1..]);
            if self.started.is_empty() && !self.is_cut && line.len() <= self.bytes_max {
                on_line(Line::Whole(trimmed(line)));
            } else {
                self.append(line);
                self.emit(&mut on_line);
            }
            piece = rest;
        }
        self.append(piece);
    }

    /// Takes the end of the output: what is left is the last line.
    pub fn finish(mut self, mut on_line: impl FnMut(Line<'_>)) {
        if !self.started.is_empty() || self.is_cut {
            self.emit(&mut on_line);
        }
    }

    fn append(&mut self, part: &[u8]) {
        let room = self.bytes_max - self.started.len();
        self.is_cut |= part.len() > room;
        self.started.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn emit(&mut self, on_line: &mut impl FnMut(Line<'_>)) {
        if self.is_cut {
            on_line(Line::Cut(&self.started));
        } else {
            on_line(Line::Whole(trimmed(&self.started)));
        }
        self.is_cut = false;
        self.started.clear();
        self.started.shrink_to(BUFFER_KEPT_BYTES);
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::{BUFFER_KEPT_BYTES, Line, Splitter};
    use proptest::prelude::*;

    fn split(bytes_max: usize, pieces: &[&[u8]]) -> Vec<(bool, Vec<u8>)> {
        let mut lines = Vec::new();
        let mut keep = |line: Line<'_>| match line {
            Line::Whole(text) => lines.push((true, text.to_vec())),
            Line::Cut(text) => lines.push((false, text.to_vec())),
        };
        let mut splitter = Splitter::new(bytes_max);
        for piece in pieces {
            splitter.push(piece, &mut keep);
        }
        splitter.finish(&mut keep);
        lines
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let whole = |text: &[u8]| (true, text.to_vec());
        assert_eq!(
            split(9, &[b"a\r\nb", b"c", b"\n\nd"]),
            [b"a" as &[u8], b"bc", b"", b"d"].map(whole)
        );
        assert_eq!(split(9, &[b"a\n"]), [whole(b"a")]);
        assert_eq!(split(9, &[b"", b""]), []);
    }

    #[test]
    fn a_longer_line_is_cut_and_the_next_one_is_whole() {
        let cut = |text: &[u8]| (false, text.to_vec());
        let expected = [cut(b"abc"), (true, b"xyz".to_vec())];
        assert_eq!(split(3, &[b"abcd\nxyz\n"]), expected);
        assert_eq!(split(3, &[b"ab", b"c", b"d", b"", b"\nxyz"]), expected);
        assert_eq!(split(3, &[b"abcd"]), [cut(b"abc")]);
        assert_eq!(split(0, &[b"a\n\n"]), [cut(b""), (true, Vec::new())]);
    }

    #[test]
    fn a_line_of_forty_megabytes_takes_no_more_memory_than_the_limit() {
        let (mut splitter, mut cut) = (Splitter::new(1 << 20), 0);
        let piece = vec![b'x'; 1 << 16];
        for _ in 0..640 {
            splitter.push(&piece, |_| cut += 1);
            assert!(splitter.started.capacity() <= 2 << 20);
        }
        splitter.push(b"\n", |line| cut += usize::from(matches!(line, Line::Cut(_))));
        assert_eq!(cut, 1);
        assert!(splitter.started.capacity() <= BUFFER_KEPT_BYTES);
    }

    proptest! {
        #[test]
        fn how_output_arrives_does_not_matter(
            bytes in prop::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()],
                0..80,
            ),
            step in 1..9_usize,
            bytes_max in 0..9_usize,
        ) {
            let pieces: Vec<&[u8]> = bytes.chunks(step).collect();
            prop_assert_eq!(split(bytes_max, &pieces), split(bytes_max, &[&bytes]));
        }
    }
}
