//! Parsing of the selectors in a query.

/// A selector in a query.
pub(crate) struct Selector {
    pub(crate) metric: String,
    pub(crate) matchers: Vec<String>,
    /// The range in brackets, if any.
    pub(crate) range: String,
    /// The function that is applied to it, if any.
    pub(crate) function: String,
}

const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

pub(crate) fn selectors(query: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = query[at..].find(is_word) {
        let start = at + offset;
        let end = query[start..].find(|c| !is_word(c)).map_or(query.len(), |length| start + length);
        let (word, after) = (&query[start..end], &query[end..]);
        at = end;
        if word.starts_with(|c: char| c.is_ascii_digit()) || OPERATORS.contains(&word) {
            continue;
        }
        let next = after.trim_start();
        if ["(", "by (", "without ("].iter().any(|call| next.starts_with(call)) {
            if GROUPINGS.contains(&word) {
                at += after.find(')').unwrap();
            }
            continue;
        }
        let (matchers, after) = enclosed(after, '{', '}');
        let (range, after) = enclosed(after, '[', ']');
        at = query.len() - after.len();
        let before = query[..start].strip_suffix('(').unwrap_or_default();
        found.push(Selector {
            metric: word.to_owned(),
            matchers: matchers.split(", ").filter(|matcher| !matcher.is_empty()).map(str::to_owned).collect(),
            range: range.to_owned(),
            function: before.rsplit(|c| !is_word(c)).next().unwrap_or_default().to_owned(),
        });
    }
    found
}

/// Returns the text between these brackets at the start, and the rest.
fn enclosed(text: &str, open: char, close: char) -> (&str, &str) {
    text.strip_prefix(open).and_then(|rest| rest.split_once(close)).unwrap_or(("", text))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

#[test]
fn selectors_are_found() {
    let query =
        r#"sum by (le) (rate(a_bucket{x="y", z!="1"}[5m])) / on (x) group_left () (b or 0.5 * max(c{})) > 2"#;
    let found = selectors(query);
    let metrics: Vec<_> = found.iter().map(|selector| selector.metric.as_str()).collect();
    assert_eq!(metrics, ["a_bucket", "b", "c"]);
    assert_eq!((found[0].function.as_str(), found[0].range.as_str()), ("rate", "5m"));
    assert_eq!(found[0].matchers, [r#"x="y""#, r#"z!="1""#]);
    assert_eq!((found[2].function.as_str(), found[2].matchers.len()), ("max", 0));
}
