//! The causes of an error, for the one line that tells of it.

use std::{error::Error, iter::successors};

/// An error and its causes, the outermost first, separated by `: `.
pub fn joined(error: &dyn Error) -> String {
    let texts = successors(Some(error), |error| (*error).source()).map(ToString::to_string);
    texts.collect::<Vec<_>>().join(": ")
}

/// The innermost cause, which says most: `Connection refused`.
pub fn innermost(error: &dyn Error) -> String {
    successors(Some(error), |error| (*error).source()).last().unwrap_or(error).to_string()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{innermost, joined};

    #[test]
    fn an_error_is_told_with_its_causes_or_by_the_last_one() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot connect")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::other("refused"));
        assert_eq!(joined(&error), "cannot connect: refused");
        assert_eq!(innermost(&error), "refused");
        assert_eq!(innermost(&error.0), "refused");
    }
}
