//! Enums that are kept and sent as a word.

/// Declares an enum, and for each case its word on the wire and in the database.
macro_rules! words {
    ($(#[$attribute:meta])* $name:ident {
        $($(#[$case_attribute:meta])* $case:ident = $word:tt,)+
    }) => {
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize,
            utoipa::ToSchema,
        )]
        $(#[$attribute])*
        pub enum $name {
            $($(#[$case_attribute])* #[serde(rename = $word)] $case,)+
        }

        impl $name {
            /// All of them, in the order in which refusals name them.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$case),+];

            /// The word on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$case => $word,)+ }
            }

            /// The one with this word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|known| known.as_str() == word)
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::PartialSchema as _;

    use crate::why::Code;

    #[test]
    fn a_word_is_the_same_in_the_database_on_the_wire_and_in_the_document() {
        let words = Code::ALL.map(Code::as_str);
        assert_eq!(words[2], "cancel_requested");
        assert_eq!(json!(Code::ALL), json!(words));
        let document = serde_json::to_value(Code::schema()).unwrap();
        assert_eq!(document["enum"], json!(words));
        assert_eq!(words.map(Code::parse), Code::ALL.map(Some));
        assert_eq!(Code::parse("CancelRequested"), None);
    }
}
