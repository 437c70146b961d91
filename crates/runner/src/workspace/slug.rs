//! Names for trees and branches.

use sha2::{Digest as _, Sha256};

/// The longest part of an id that a name shows.
const SHOWN_MAX: usize = 40;

/// How many hexadecimal digits of the hash a name has.
const HASH_DIGITS: usize = 8;

/// See [`super::Place::slug`].
pub(super) fn slug(task_id: &str) -> String {
    if is_own_name(task_id) {
        return task_id.to_owned();
    }
    let mut shown = String::new();
    for c in task_id.chars() {
        if shown.len() == SHOWN_MAX {
            break;
        }
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => shown.push(c),
            _ if shown.ends_with('-') || shown.is_empty() => {}
            _ => shown.push('-'),
        }
    }
    let shown = match shown.trim_end_matches('-') {
        "" => "task",
        shown => shown,
    };
    let hash = hex::encode(Sha256::digest(task_id));
    format!("{shown}-{}", &hash[..HASH_DIGITS])
}

/// Whether the id can be a name by itself. One that looks like a name with a hash cannot: it might be
/// another id's.
fn is_own_name(id: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let has_hash = id.rsplit_once('-').is_some_and(|(_, end)| {
        end.len() == HASH_DIGITS && end.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    !id.is_empty()
        && id.len() <= SHOWN_MAX
        && id.bytes().all(is_plain)
        && !id.starts_with('-')
        && !id.ends_with('-')
        && !has_hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{SHOWN_MAX, slug};

    #[test]
    fn a_plain_short_id_is_its_own_name() {
        for id in ["4f1c2a9b", "a", "0190a5b0-7e6c-7aa0-8000-0123456789ab", "fix--login"] {
            assert_eq!(slug(id), id);
        }
    }

    #[test]
    fn other_ids_are_shown_as_far_as_they_can_be() {
        let shown = |id: &str| slug(id).rsplit_once('-').unwrap().0.to_owned();
        assert_eq!(shown("TASK-12"), "task-12");
        assert_eq!(shown("../../etc/passwd"), "etc-passwd");
        assert_eq!(shown("say \"hi\"\nto 🐙 Jörg"), "say-hi-to-j-rg");
        assert_eq!(shown(&"x".repeat(300)), "x".repeat(SHOWN_MAX));
        for id in ["", " ", "-", ".", "🐙", "\0"] {
            assert_eq!(shown(id), "task");
        }
    }

    #[test]
    fn ids_that_would_be_shown_alike_have_other_names() {
        let ids = ["a b", "a-b", "a_b", "A-b", " a b", "", "-", "task", "🐙", "🐳"];
        for (at, first) in ids.iter().enumerate() {
            for second in &ids[..at] {
                assert_ne!(slug(first), slug(second));
            }
        }
        // An id that is written like another one's name.
        assert_ne!(slug(&slug("a b")), slug("a b"));
    }

    proptest! {
        #[test]
        fn a_name_is_safe_whatever_the_id(id in prop_oneof![any::<String>(), "[a-z0-9-]{0,60}"]) {
            let name = slug(&id);
            prop_assert!(name.len() <= SHOWN_MAX + 9);
            prop_assert!(name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')));
            prop_assert!(!name.is_empty() && !name.starts_with('-') && !name.ends_with('-'));
            prop_assert_eq!(slug(&id), name);
        }

        #[test]
        fn different_ids_have_different_names(
            a in "[aA -]{0,4}|[a-f0-9-]{0,12}",
            b in "[aA -]{0,4}|[a-f0-9-]{0,12}",
        ) {
            prop_assert_eq!(a == b, slug(&a) == slug(&b));
            prop_assert!(slug(&slug(&a)) == slug(&a) || slug(&a) != a);
        }
    }
}
