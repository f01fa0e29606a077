//! Parser of filter expressions.

use super::lexer::{Token, tokens};
use super::{Collection, Filter, Match, SyntaxError, Test};

/// Maximum nesting of parentheses, braces and `not`: far beyond real filters, and far below the limit of the
/// stack.
const MAX_DEPTH: usize = 64;

pub(super) fn parse(text: &str, collections: bool) -> Result<Filter, SyntaxError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens, at: 0, end: text.len(), depth: 0, collections };
    let filter = parser.or()?;
    match parser.tokens.get(parser.at) {
        Some((at, _)) => Err(SyntaxError { at: *at }),
        None => Ok(filter),
    }
}

/// Recursive descent over the tokens; `or` binds weakest.
struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    depth: usize,
    /// Whether `any` and `all` are supported.
    collections: bool,
}

impl Parser {
    /// `any` and `all` must be alone or last; combined with anything else they need parentheses.
    fn or(&mut self) -> Result<Filter, SyntaxError> {
        let mut parts = Vec::new();
        loop {
            if let Some(all) = self.take_quantifier() {
                parts.push(self.deeper(|parser| parser.collection(all))?);
                break;
            }
            parts.push(self.and()?);
            if !self.take_word("or") {
                break;
            }
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

    fn deeper(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<Filter, SyntaxError>,
    ) -> Result<Filter, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return Err(self.unexpected());
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Returns whether `any` or `all` comes next, and not a field of that name.
    fn take_quantifier(&mut self) -> Option<bool> {
        let next = |ahead: usize| match self.tokens.get(self.at + ahead) {
            Some((_, Token::Word(word))) => word.as_str(),
            _ => "",
        };
        let quantified = !matches!(next(1), "" | "in" | "is" | "not" | "contains" | "and" | "or");
        let all = next(0) == "all";
        if !self.collections || !quantified || !(all || next(0) == "any") {
            return None;
        }
        self.at += 1;
        Some(all)
    }

    fn collection(&mut self, all: bool) -> Result<Filter, SyntaxError> {
        let selector = self.selector()?;
        if !self.take_word("as") {
            return Err(self.unexpected());
        }
        let first = self.name()?;
        let second = if self.take(&Token::Comma) { Some(self.name()?) } else { None };
        let open = self.take(&Token::OpenBrace);
        if !open {
            return Err(self.unexpected());
        }
        let inner = Box::new(self.deeper(Self::or)?);
        if !self.take(&Token::CloseBrace) {
            return Err(self.unexpected());
        }
        let used = |name: String| Some(name).filter(|name| name != "_");
        let (key, item, single) = match second {
            Some(second) => (used(first), used(second), None),
            None => (None, None, Some(first)),
        };
        Ok(Filter::Collection(Collection { all, selector, key, item, single, inner }))
    }

    fn name(&mut self) -> Result<String, SyntaxError> {
        match self.tokens.get(self.at) {
            Some((_, Token::Word(word))) if !word.contains('.') => {
                self.at += 1;
                Ok(word.clone())
            }
            _ => Err(self.unexpected()),
        }
    }

    fn comparison(&mut self) -> Result<Match, SyntaxError> {
        let start = self.at;
        // `"x" in Field` starts with a value, everything else with a selector.
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
                // `Meta["a key"].part`
                while self.take(&Token::OpenBracket) {
                    match self.tokens.get(self.at) {
                        Some((_, Token::Quoted(key))) => parts.push(key.clone()),
                        _ => return Err(self.unexpected()),
                    }
                    self.at += 1;
                    if !self.take(&Token::CloseBracket) {
                        return Err(self.unexpected());
                    }
                    if let Some((_, Token::Word(word))) = self.tokens.get(self.at)
                        && let Some(rest) = word.strip_prefix('.')
                    {
                        parts.extend(rest.split('.').map(str::to_owned));
                        self.at += 1;
                    }
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
