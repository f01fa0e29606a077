//! Filter expressions: the subset of go-bexpr that Nomad's lists use, evaluated on the JSON of a row.
//!
//! Examples:
//! - `Status != "dead"`
//! - `ParentID == "" and Type == "batch"`
//! - `not (NodePool == builders)`
//! - `"dc1" in Datacenters`
//! - `Meta is empty`
//! - `Name contains "build"`
//! - `(any TaskStates as name, task { task.Restarts != 0 }) and ClientStatus == "running"`

mod lexer;
mod parser;

use std::fmt;

use serde_json::Value;

/// Fields with arbitrary keys, any of which may be missing. An unknown key of another object is an error.
const MAPS: &[&str] = &[
    "Attributes",
    "ClassEligibility",
    "ClassExhausted",
    "ClassFiltered",
    "Config",
    "ConstraintFiltered",
    "DesiredTGUpdates",
    "Details",
    "DimensionExhausted",
    "Drivers",
    "FailedTGAllocs",
    "HostVolumes",
    "Links",
    "Meta",
    "NodesAvailable",
    "QueuedAllocations",
    "ResourcesExhausted",
    "Summary",
    "TaskGroups",
    "TaskLifecycles",
    "TaskStates",
    "Tasks",
];
/// Time fields, which go-bexpr cannot compare.
const TIMES: &[&str] = &["FinishedAt", "LastRestart", "StartedAt", "Timestamp", "WaitUntil"];

/// A parsed filter expression.
#[derive(Debug, PartialEq)]
pub(crate) enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    Match(Match),
    Collection(Collection),
}

/// A condition on the items of a list or a map.
#[derive(Debug, PartialEq)]
pub(crate) struct Collection {
    /// Whether all items must match, instead of any.
    all: bool,
    selector: Vec<String>,
    /// Names of an item's key or index, and of the item. A single name means the key in a map, but the item
    /// in a list.
    key: Option<String>,
    item: Option<String>,
    single: Option<String>,
    inner: Box<Filter>,
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

/// Error: the expression cannot be parsed.
#[derive(Debug, PartialEq)]
pub(crate) struct SyntaxError {
    /// Position of the first invalid character.
    pub(crate) at: usize,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "1:{} ({}): no match found", self.at + 1, self.at)
    }
}

/// Reason that a row cannot be filtered.
#[derive(Debug, PartialEq)]
pub(crate) enum Unfit {
    /// The row has no field of this name.
    UnknownField(String),
    /// The field's value cannot be compared.
    NotComparable,
    /// The field is neither a list nor a map.
    NotIterable(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::UnknownField(name) => {
                write!(out, "error finding value in datum: /{name} at part 0: ")?;
                write!(out, "couldn't find key: struct field with name {name:?}")
            }
            Unfit::NotComparable => {
                write!(out, "unable to find suitable primitive comparison function for matching")
            }
            Unfit::NotIterable(selector) => write!(out, "{selector} is not a list or a map"),
        }
    }
}

/// Top-level fields that can be selected although the JSON of a row may omit them, and fields that cannot
/// although it has them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields {
    /// Omitted from the JSON if empty: selecting them yields nothing, without an error.
    pub(crate) hidden: &'static [&'static str],
    /// Only in the JSON of the list: Nomad filters the object behind the row, which does not have them.
    pub(crate) unreal: &'static [&'static str],
}

/// A row, and the names within the braces of `any` and `all`.
#[derive(Clone, Debug)]
struct Scope<'row> {
    row: &'row Value,
    fields: Fields,
    names: Vec<(&'row str, Local<'row>)>,
}

#[derive(Clone, Debug)]
enum Local<'row> {
    Key(Value),
    Item(&'row Value),
}

impl Filter {
    /// Parses a filter; only newer versions support `any` and `all`.
    pub(crate) fn parse(text: &str, collections: bool) -> Result<Filter, SyntaxError> {
        parser::parse(text, collections)
    }

    pub(crate) fn matches(&self, row: &Value, fields: Fields) -> Result<bool, Unfit> {
        self.holds(&Scope { row, fields, names: Vec::new() })
    }

    fn holds<'row>(&'row self, scope: &Scope<'row>) -> Result<bool, Unfit> {
        Ok(match self {
            Filter::Or(parts) => Filter::any_is(true, parts, scope)?,
            Filter::And(parts) => !Filter::any_is(false, parts, scope)?,
            Filter::Not(inner) => !inner.holds(scope)?,
            Filter::Match(comparison) => comparison.holds(scope)?,
            Filter::Collection(collection) => collection.holds(scope)?,
        })
    }

    /// Returns whether any part has the wanted result. The parts after the first match are not evaluated.
    fn any_is<'row>(wanted: bool, parts: &'row [Filter], scope: &Scope<'row>) -> Result<bool, Unfit> {
        for part in parts {
            if part.holds(scope)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Collection {
    fn holds<'row>(&'row self, scope: &Scope<'row>) -> Result<bool, Unfit> {
        let items: Vec<(Value, &'row Value)> = match scope.find(&self.selector)? {
            Found::Row(Value::Null) => Vec::new(),
            Found::Row(Value::Object(map)) => {
                map.iter().map(|(key, item)| (Value::String(key.clone()), item)).collect()
            }
            Found::Row(Value::Array(list)) => {
                list.iter().enumerate().map(|(index, item)| (Value::from(index), item)).collect()
            }
            Found::Row(_) | Found::Key(_) => return Err(Unfit::NotIterable(self.selector.join("."))),
        };
        for (key, item) in items {
            let mut inner = scope.clone();
            let single = if key.is_string() { Local::Key(key.clone()) } else { Local::Item(item) };
            let named =
                [(&self.key, Local::Key(key)), (&self.item, Local::Item(item)), (&self.single, single)];
            for (name, local) in named {
                inner.names.extend(name.as_deref().map(|name| (name, local)));
            }
            if self.inner.holds(&inner)? != self.all {
                return Ok(!self.all);
            }
        }
        Ok(self.all)
    }
}

/// The value that a selector selects.
enum Found<'row> {
    Row(&'row Value),
    Key(Value),
}

impl<'row> Scope<'row> {
    /// Returns the selected value. A missing field of an object is an error; a missing key of a map is null.
    fn find(&self, selector: &[String]) -> Result<Found<'row>, Unfit> {
        let (first, rest) = selector.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
        let local = self.names.iter().rev().find(|(name, _)| *name == first).map(|(_, local)| local);
        let (mut value, mut container) = match local {
            Some(Local::Key(key)) => return Ok(Found::Key(key.clone())),
            Some(Local::Item(item)) => (*item, ""),
            None => (self.field(first)?, first),
        };
        for key in rest {
            let inner = match value {
                Value::Array(items) => key.parse().ok().and_then(|index: usize| items.get(index)),
                other => other.get(key),
            };
            let is_struct = value.is_object() && !MAPS.contains(&container);
            value = match inner {
                Some(inner) => inner,
                None if is_struct => return Err(Unfit::UnknownField(key.clone())),
                None => &Value::Null,
            };
            container = key;
        }
        Ok(Found::Row(value))
    }

    fn field(&self, name: &str) -> Result<&'row Value, Unfit> {
        let real = Some(self.row).filter(|_| !self.fields.unreal.contains(&name));
        match real.and_then(|row| row.get(name)) {
            Some(value) => Ok(value),
            None if self.fields.hidden.contains(&name) => Ok(&Value::Null),
            None => Err(Unfit::UnknownField(name.to_owned())),
        }
    }
}

impl Match {
    fn holds(&self, scope: &Scope<'_>) -> Result<bool, Unfit> {
        let found = scope.find(&self.selector)?;
        let value = match &found {
            Found::Row(value) => *value,
            Found::Key(key) => key,
        };
        let is_time = self.selector.last().is_some_and(|name| TIMES.contains(&name.as_str()));
        Ok(match &self.test {
            Test::Equal(_) | Test::NotEqual(_) if is_time => return Err(Unfit::NotComparable),
            Test::Equal(text) => equals(value, text),
            Test::NotEqual(text) => !equals(value, text),
            Test::Contains(text) => contains(value, text),
            Test::NotContains(text) => !contains(value, text),
            Test::Empty => is_empty(value),
            Test::NotEmpty => !is_empty(value),
        })
    }
}

fn equals(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string == text,
        Value::Bool(flag) => text.parse() == Ok(*flag),
        Value::Number(number) => number.to_string() == text,
        // The zero value of a field that the JSON omits.
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
        // A row has a flag instead of the job's `Periodic` block: false means empty.
        Value::Bool(flag) => !flag,
        Value::Number(_) => false,
    }
}
