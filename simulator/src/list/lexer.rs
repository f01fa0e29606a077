//! The tokens of a filter expression.

use super::filter::SyntaxError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A selector, a keyword, a number or an unquoted value.
    Word(String),
    /// A value in double quotes or backticks.
    Quoted(String),
    /// A key of a map in brackets, as in `Attributes["os.name"]`.
    Key(String),
    Equal,
    NotEqual,
    Open,
    Close,
}

/// The tokens of a text, each with where it begins.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '=' if rest.starts_with("==") => (Token::Equal, 2),
            '!' if rest.starts_with("!=") => (Token::NotEqual, 2),
            '[' => key(rest).ok_or(SyntaxError { at })?,
            '"' | '`' => quoted(rest, first).ok_or(SyntaxError { at })?,
            _ => word(rest).ok_or(SyntaxError { at })?,
        };
        tokens.push((at, token));
        rest = &rest[length..];
    }
}

/// A quoted value and its length. Only double quotes know escapes.
fn quoted(rest: &str, quote: char) -> Option<(Token, usize)> {
    let mut value = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            end if end == quote => return Some((Token::Quoted(value), at + 1)),
            '\\' if quote == '"' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// A key in brackets and their length.
fn key(rest: &str) -> Option<(Token, usize)> {
    match quoted(&rest[1..], '"').filter(|_| rest[1..].starts_with('"'))? {
        (Token::Quoted(key), length) if rest[1 + length..].starts_with(']') => {
            Some((Token::Key(key), length + 2))
        }
        _ => None,
    }
}

fn word(rest: &str) -> Option<(Token, usize)> {
    let part =
        |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '/' | ':');
    let length = rest.find(|character| !part(character)).unwrap_or(rest.len());
    (length > 0).then(|| (Token::Word(rest[..length].to_owned()), length))
}
