//! What the rules want to know of a Rust file: its functions, words and string literals.
//!
//! This reads tokens and not a syntax tree: most tests of a property stand inside a macro call, which
//! a syntax tree holds unparsed, and the rules apply there too.

use std::ops::Range;

use proc_macro2::{Delimiter, Group, LexError, Literal, TokenStream, TokenTree};

/// What was found in one file. Lines count from one.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Functions with a body, in no order that matters.
    pub(super) functions: Vec<Function>,
    /// Identifiers and keywords outside of literals and comments.
    pub(super) words: Vec<Word>,
    /// String literals of every kind; documentation is none.
    pub(super) strings: Vec<Text>,
}

/// A function from its `fn` to the closing brace.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) first: usize,
    pub(super) last: usize,
}

/// An identifier.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) line: usize,
}

/// A string literal as it is written, quotes included.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) written: String,
    pub(super) first: usize,
    pub(super) last: usize,
    /// Where it stands in the file, in bytes.
    pub(super) bytes: Range<usize>,
}

/// Reads a file.
pub(super) fn scan(file: &str) -> Result<Scan, LexError> {
    let mut scan = Scan::default();
    scan.enter(&file.parse::<TokenStream>()?);
    Ok(scan)
}

impl Scan {
    fn enter(&mut self, stream: &TokenStream) {
        let tokens: Vec<TokenTree> = stream.clone().into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                // Documentation comes as an attribute; what it says is prose.
                TokenTree::Group(group) if is_documentation(group) => {}
                TokenTree::Group(group) => self.enter(&group.stream()),
                TokenTree::Literal(literal) => self.keep_string(literal),
                TokenTree::Ident(ident) => {
                    let line = ident.span().start().line;
                    self.words.push(Word { text: ident.to_string(), line });
                    if ident == "fn" {
                        self.functions.extend(function(&tokens[at..]));
                    }
                }
                TokenTree::Punct(_) => {}
            }
        }
    }

    fn keep_string(&mut self, literal: &Literal) {
        let written = literal.to_string();
        // A quote is in every string, and besides only in the literals of characters and bytes.
        if written.contains('"') && !written.starts_with('\'') && !written.starts_with("b'") {
            let span = literal.span();
            let (first, last) = (span.start().line, span.end().line);
            self.strings.push(Text { written, first, last, bytes: span.byte_range() });
        }
    }
}

/// The function that starts with the first of these tokens, if it has a name and a body.
fn function(tokens: &[TokenTree]) -> Option<Function> {
    let Some(TokenTree::Ident(name)) = tokens.get(1) else {
        return None;
    };
    let first = tokens[0].span().start().line;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Punct(end) if end.as_char() == ';' => return None,
            TokenTree::Group(body) if is_body(body, tokens.get(at + 1)) => {
                let last = body.span_close().end().line;
                return Some(Function { name: name.to_string(), first, last });
            }
            _ => {}
        }
    }
    None
}

/// Braces also hold the constants of generic types, which never end there.
fn is_body(group: &Group, next: Option<&TokenTree>) -> bool {
    let in_generics = is_punct(next, '>') || is_punct(next, ',');
    group.delimiter() == Delimiter::Brace && !in_generics
}

fn is_documentation(group: &Group) -> bool {
    let first = group.stream().into_iter().next();
    group.delimiter() == Delimiter::Bracket
        && matches!(first, Some(TokenTree::Ident(name)) if name == "doc")
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(file: &str) -> Vec<(String, usize, usize)> {
        let found = scan(file).unwrap().functions.into_iter();
        found.map(|function| (function.name, function.first, function.last)).collect()
    }

    fn strings(file: &str) -> Vec<String> {
        scan(file).unwrap().strings.into_iter().map(|text| text.written).collect()
    }

    #[test]
    fn functions_are_found_in_types_traits_and_macros() {
        let file =
            "impl A {\n fn a() {\n }\n}\ntrait B { fn b(); fn c() {} }\nm! { fn d(x in y()) {\n} }";
        let found = functions(file);
        let expected = [("a", 2, 3), ("c", 5, 5), ("d", 6, 7)];
        assert_eq!(found, expected.map(|(name, first, last)| (name.to_owned(), first, last)));
    }

    #[test]
    fn a_function_pointer_and_a_constant_in_a_type_are_no_functions() {
        assert!(functions("type F = fn(u8) -> u8;").is_empty());
        let found = functions("fn f() -> A<{ 1 + 1 }> {\n\n}");
        assert_eq!(found, [("f".to_owned(), 1, 3)]);
    }

    #[test]
    fn braces_in_strings_and_comments_do_not_count() {
        let found = functions("fn f() {\n // }\n let _ = \"}\";\n let _ = '}';\n}");
        assert_eq!(found, [("f".to_owned(), 1, 5)]);
    }

    #[test]
    fn strings_of_every_kind_are_found_and_documentation_is_not() {
        let file = "/// a \"b\"\nfn f() { (\"c\", r#\"d\"#, b\"e\", '\"', b'\"', 1) }";
        assert_eq!(strings(file), ["\"c\"", "r#\"d\"#", "b\"e\""]);
    }

    #[test]
    fn a_string_s_place_is_counted_in_bytes_of_its_own_file() {
        drop(scan("fn an_earlier_file() {}").unwrap());
        let file = "fn ä() { \"ö\" }";
        let place = scan(file).unwrap().strings.remove(0).bytes;
        assert_eq!(&file[place], "\"ö\"");
    }
}
