//! The part of go-bexpr that filters lists, evaluated over the JSON of a row.
//!
//! `Status != "dead"`, `ParentID == "" and Type == "batch"`, `not (NodePool == builders)`, `"dc1" in
//! Datacenters`, `Meta is empty`, `Name contains "build"`.

use std::fmt;

use serde_json::Value;

use super::lexer::{Token, tokens};

/// How deep parentheses and `not` may be nested: far beyond what anybody writes, far from the end of the stack.
const MAX_DEPTH: usize = 64;

/// A parsed filter expression.
#[derive(Debug, PartialEq)]
pub(crate) enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    Match(Match),
}

/// One comparison of a field.
#[derive(Debug, PartialEq)]
pub(crate) struct Match {
    selector: Vec<String>,
    test: Test,
}

#[derive(Debug, PartialEq)]
enum Test {
    Equal(String),
    NotEqual(String),
    Contains(String),
    NotContains(String),
    Empty,
    NotEmpty,
}

/// The expression cannot be parsed.
#[derive(Debug, PartialEq)]
pub(crate) struct SyntaxError {
    /// Position of the first character that does not fit.
    pub(crate) at: usize,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "1:{} ({}): no match found", self.at + 1, self.at)
    }
}

/// A row has no field of this name.
#[derive(Debug, PartialEq)]
pub(crate) struct UnknownField(pub(crate) String);

impl fmt::Display for UnknownField {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.0;
        write!(out, "error finding value in datum: /{name} at part 0: ")?;
        write!(out, "couldn't find key: struct field with name {name:?}")
    }
}

/// Which top-level fields can be selected although a row's JSON may not show them, and which cannot although
/// it does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields {
    /// Left out of the JSON when empty: they select nothing, without an error.
    pub(crate) hidden: &'static [&'static str],
    /// In the JSON of the list only: Nomad filters the object behind the row, which does not have them.
    pub(crate) unreal: &'static [&'static str],
}

impl Filter {
    pub(crate) fn parse(text: &str) -> Result<Filter, SyntaxError> {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens, at: 0, end: text.len(), depth: 0 };
        let filter = parser.or()?;
        match parser.tokens.get(parser.at) {
            Some((at, _)) => Err(SyntaxError { at: *at }),
            None => Ok(filter),
        }
    }

    pub(crate) fn matches(&self, row: &Value, fields: Fields) -> Result<bool, UnknownField> {
        Ok(match self {
            Filter::Or(parts) => Filter::any_is(true, parts, row, fields)?,
            Filter::And(parts) => !Filter::any_is(false, parts, row, fields)?,
            Filter::Not(inner) => !inner.matches(row, fields)?,
            Filter::Match(comparison) => comparison.matches(row, fields)?,
        })
    }

    /// Whether one of the parts comes out as this; those behind it are not looked at.
    fn any_is(wanted: bool, parts: &[Filter], row: &Value, fields: Fields) -> Result<bool, UnknownField> {
        for part in parts {
            if part.matches(row, fields)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Match {
    fn matches(&self, row: &Value, fields: Fields) -> Result<bool, UnknownField> {
        let value = self.find(row, fields)?;
        Ok(match &self.test {
            Test::Equal(text) => equals(value, text),
            Test::NotEqual(text) => !equals(value, text),
            Test::Contains(text) => contains(value, text),
            Test::NotContains(text) => !contains(value, text),
            Test::Empty => is_empty(value),
            Test::NotEmpty => !is_empty(value),
        })
    }

    /// The selected value. Only a missing field of the object itself is an error; a missing key of a map is
    /// null.
    fn find<'row>(&self, row: &'row Value, fields: Fields) -> Result<&'row Value, UnknownField> {
        let (first, rest) = self.selector.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
        let real = Some(row).filter(|_| !fields.unreal.contains(&first)).and_then(|row| row.get(first));
        let mut value = match real {
            Some(value) => value,
            None if fields.hidden.contains(&first) => &Value::Null,
            None => return Err(UnknownField(first.to_owned())),
        };
        for key in rest {
            value = value.get(key).unwrap_or(&Value::Null);
        }
        Ok(value)
    }
}

fn equals(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string == text,
        Value::Bool(flag) => text.parse() == Ok(*flag),
        Value::Number(number) => number.to_string() == text,
        // The zero value of a field that the JSON leaves out.
        Value::Null => matches!(text, "" | "0" | "false"),
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn contains(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string.contains(text),
        Value::Array(items) => items.iter().any(|item| equals(item, text)),
        Value::Object(map) => map.contains_key(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(string) => string.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        // A row says whether the job behind it has a `Periodic` block: no block, empty.
        Value::Bool(flag) => !flag,
        Value::Number(_) => false,
    }
}

/// Recursive descent over the tokens; `or` binds weakest.
struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn or(&mut self) -> Result<Filter, SyntaxError> {
        let mut parts = vec![self.and()?];
        while self.take_word("or") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() > 1 { Filter::Or(parts) } else { parts.remove(0) })
    }

    fn and(&mut self) -> Result<Filter, SyntaxError> {
        let mut parts = vec![self.not()?];
        while self.take_word("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() > 1 { Filter::And(parts) } else { parts.remove(0) })
    }

    fn not(&mut self) -> Result<Filter, SyntaxError> {
        if self.take_word("not") {
            return self.deeper(Self::not).map(|inner| Filter::Not(Box::new(inner)));
        }
        if self.take(&Token::Open) {
            let inner = self.deeper(Self::or)?;
            return if self.take(&Token::Close) { Ok(inner) } else { Err(self.unexpected()) };
        }
        self.comparison().map(Filter::Match)
    }

    fn deeper(&mut self, parse: fn(&mut Self) -> Result<Filter, SyntaxError>) -> Result<Filter, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return Err(self.unexpected());
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn comparison(&mut self) -> Result<Match, SyntaxError> {
        let start = self.at;
        // `"x" in Field` begins with a value, everything else with a selector.
        if let Some(value) = self.take_value()
            && let Some(test) = self.membership(value)
        {
            return Ok(Match { selector: self.selector()?, test });
        }
        self.at = start;
        let selector = self.selector()?;
        Ok(Match { selector, test: self.test()? })
    }

    fn membership(&mut self, value: String) -> Option<Test> {
        if self.take_word("in") {
            return Some(Test::Contains(value));
        }
        (self.take_word("not") && self.take_word("in")).then_some(Test::NotContains(value))
    }

    fn test(&mut self) -> Result<Test, SyntaxError> {
        if self.take(&Token::Equal) {
            return self.value().map(Test::Equal);
        }
        if self.take(&Token::NotEqual) {
            return self.value().map(Test::NotEqual);
        }
        if self.take_word("contains") {
            return self.value().map(Test::Contains);
        }
        if self.take_word("is") {
            let negated = self.take_word("not");
            let test = if negated { Test::NotEmpty } else { Test::Empty };
            return if self.take_word("empty") { Ok(test) } else { Err(self.unexpected()) };
        }
        if self.take_word("not") && self.take_word("contains") {
            return self.value().map(Test::NotContains);
        }
        Err(self.unexpected())
    }

    fn selector(&mut self) -> Result<Vec<String>, SyntaxError> {
        match self.tokens.get(self.at) {
            Some((_, Token::Word(word))) => {
                let mut parts: Vec<String> = word.split('.').map(str::to_owned).collect();
                self.at += 1;
                while let Some((_, Token::Key(key))) = self.tokens.get(self.at) {
                    parts.push(key.clone());
                    self.at += 1;
                }
                Ok(parts)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn value(&mut self) -> Result<String, SyntaxError> {
        self.take_value().ok_or_else(|| self.unexpected())
    }

    fn take_value(&mut self) -> Option<String> {
        let value = match self.tokens.get(self.at) {
            Some((_, Token::Quoted(text) | Token::Word(text))) => text.clone(),
            _ => return None,
        };
        self.at += 1;
        Some(value)
    }

    fn take(&mut self, token: &Token) -> bool {
        let there = self.tokens.get(self.at).is_some_and(|(_, next)| next == token);
        self.at += usize::from(there);
        there
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.take(&Token::Word(word.to_owned()))
    }

    fn unexpected(&self) -> SyntaxError {
        SyntaxError { at: self.tokens.get(self.at).map_or(self.end, |(at, _)| *at) }
    }
}
