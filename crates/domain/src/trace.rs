//! `traceparent`: the place in a trace from which something was caused, as in W3C Trace Context.

use std::{fmt, str::FromStr};

/// The length of a `traceparent` of version 00.
const BYTES: usize = 55;

/// The flags that have a meaning: sampled, and a random trace id.
const FLAGS: u8 = 0b11;

/// A span of a trace. Its text is a `traceparent` of version 00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace; not 0.
    pub trace_id: u128,
    /// The span; not 0.
    pub span_id: u64,
    /// Whether its spans are recorded (1), and whether the id of the trace is random (2).
    pub flags: u8,
}

/// A text is not a `traceparent`. The standard asks to go on as if there were none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATraceparent;

impl FromStr for Traceparent {
    type Err = NotATraceparent;

    /// Reads a `traceparent`. Later versions may have more behind what version 00 has, and flags
    /// that have no meaning yet; neither is kept.
    fn from_str(text: &str) -> Result<Self, NotATraceparent> {
        let (head, rest) = text.split_at_checked(BYTES).ok_or(NotATraceparent)?;
        let fields: Vec<_> = head.split('-').collect();
        let [version, trace_id, span_id, flags] = fields[..] else { return Err(NotATraceparent) };
        let is_complete = match number(version, 2)? {
            0x00 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let trace_id = number(trace_id, 32)?;
        let span_id = u64::try_from(number(span_id, 16)?).map_err(|_| NotATraceparent)?;
        let flags = u8::try_from(number(flags, 2)?).map_err(|_| NotATraceparent)? & FLAGS;
        if !is_complete || trace_id == 0 || span_id == 0 {
            return Err(NotATraceparent);
        }
        Ok(Self { trace_id, span_id, flags })
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace_id, span_id, flags } = self;
        write!(formatter, "00-{trace_id:032x}-{span_id:016x}-{flags:02x}")
    }
}

/// The number that so many hexadecimal digits are, which the standard wants in lower case.
fn number(text: &str, digits: usize) -> Result<u128, NotATraceparent> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != digits || !text.bytes().all(is_digit) {
        return Err(NotATraceparent);
    }
    u128::from_str_radix(text, 16).map_err(|_| NotATraceparent)
}

#[cfg(test)]
mod tests {
    use super::{NotATraceparent, Traceparent};

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn kept(text: &str) -> Option<String> {
        text.parse().ok().map(|trace: Traceparent| trace.to_string())
    }

    #[test]
    fn a_traceparent_is_read_and_written() {
        let trace: Traceparent = TEXT.parse().unwrap();
        assert_eq!(trace.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!((trace.span_id, trace.flags), (0xb7ad_6b71_6920_3331, 1));
        assert_eq!(trace.to_string(), TEXT);
        let small = "00-00000000000000000000000000000001-0000000000000001-00";
        assert_eq!(kept(small).as_deref(), Some(small));
    }

    #[test]
    fn what_later_versions_add_is_not_kept() {
        let head = &TEXT[2..53];
        for later in ["01", "cc", "fe"] {
            for rest in ["", "-", "-what-the-future-will-be-like"] {
                let text = format!("{later}{head}01{rest}");
                assert_eq!(kept(&text).as_deref(), Some(TEXT), "{text}");
            }
        }
        assert_eq!(kept(&format!("00{head}ff")), Some(format!("00{head}03")));
    }

    #[test]
    fn what_is_no_traceparent_is_recognized() {
        let zeros = [
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ];
        let malformed = [
            String::new(),
            TEXT[..54].to_owned(),
            format!("{TEXT}-"),
            format!("{TEXT}-00"),
            format!("{TEXT}0"),
            format!(" {TEXT}"),
            TEXT.to_uppercase(),
            TEXT.replacen("00", "ff", 1),
            TEXT.replacen("00", "0x", 1),
            TEXT.replacen("00", "01", 1) + ".more",
            TEXT.replace("-01", "-0g"),
            TEXT.replace("-01", "+01"),
            TEXT.replace("0af7", "+af7"),
            TEXT.replacen("-0af7", "0-af7", 1),
            format!("ü{}", &TEXT[2..]),
            format!("{}ü", &TEXT[..54]),
        ];
        for text in zeros.map(str::to_owned).into_iter().chain(malformed) {
            assert_eq!(text.parse::<Traceparent>(), Err(NotATraceparent), "{text:?}");
        }
    }
}
