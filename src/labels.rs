//! Labels: names that are made of keys of the operator's own, and values within their limit.

use std::borrow::Cow;

use ring::digest::{SHA256, digest};

/// Keys of metadata or attributes that become labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyLabels {
    keys: Vec<String>,
    labels: Vec<String>,
    clashing: Vec<usize>,
}

impl KeyLabels {
    /// Names a label for each key. A name is made as kube-state-metrics makes those of Kubernetes labels: in snake case,
    /// with `_` for whatever a label name may not contain. Keys that would get the same name get `_conflict1` and so on
    /// behind it, in the order of the keys.
    pub fn new(prefix: &str, keys: &[String]) -> Self {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let plain: Vec<String> = keys.iter().map(|key| label_name(prefix, key)).collect();
        let clashes = |name: &String| plain.iter().filter(|other| *other == name).count() > 1;
        let clashing: Vec<usize> = (0..keys.len()).filter(|place| clashes(&plain[*place])).collect();
        let mut labels = plain.clone();
        for place in &clashing {
            let numbered = |number| format!("{}_conflict{number}", plain[*place]);
            // A key may have the very name that another one gets.
            let free = (1_usize..).map(numbered).find(|name| !labels.contains(name));
            labels[*place] = free.expect("there are more numbers than keys");
        }
        Self { keys, labels, clashing }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys, in their order.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The names of their labels, in the order of the keys.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Keys that clashed with another one, with the names of their labels.
    pub fn clashing(&self) -> impl Iterator<Item = (&str, &str)> {
        self.clashing.iter().map(|place| (self.keys[*place].as_str(), self.labels[*place].as_str()))
    }
}

fn label_name(prefix: &str, key: &str) -> String {
    let mut name = format!("{prefix}_");
    let mut before = None;
    for letter in key.chars() {
        let is_next_word =
            before.is_some_and(|before: char| before.is_ascii_lowercase() || before.is_ascii_digit());
        if letter.is_ascii_uppercase() && is_next_word {
            name.push('_');
        }
        name.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' });
        before = Some(letter);
    }
    name
}

/// Returns a label value within its limit: its beginning, a mark, and a checksum of all of it, so that two long names
/// that begin alike stay two series. The checksum is the beginning of the SHA-256: it is the same in every build, so that
/// no update renames a series.
pub fn shortened(label: &str, limit: usize) -> Cow<'_, str> {
    if label.len() <= limit {
        return Cow::Borrowed(label);
    }
    let digest = digest(&SHA256, label.as_bytes());
    let checksum = digest.as_ref().iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let ending = format!("…{checksum:016x}");
    let kept = label.floor_char_boundary(limit.saturating_sub(ending.len()));
    Cow::Owned(format!("{}{ending}", &label[..kept]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(keys: &[&str]) -> Vec<String> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        KeyLabels::new("meta", &keys).labels().to_vec()
    }

    #[test]
    fn names_are_those_that_kube_state_metrics_would_make() {
        for (key, expected) in [
            ("team", "meta_team"),
            ("cost-center", "meta_cost_center"),
            ("example.com/Owner", "meta_example_com_owner"),
            ("onCall", "meta_on_call"),
            ("HTTPPort2Use", "meta_httpport2_use"),
            ("größe", "meta_gr__e"),
            ("1st", "meta_1st"),
            ("a b\"c\n", "meta_a_b_c_"),
        ] {
            assert_eq!(labels(&[key]), [expected], "{key}");
        }
    }

    #[test]
    fn keys_that_clash_are_numbered_in_their_order() {
        let keys = ["team", "on-call", "on.call", "onCall"];
        let expected =
            ["meta_on_call_conflict1", "meta_on_call_conflict2", "meta_on_call_conflict3", "meta_team"];
        assert_eq!(labels(&keys), expected);
        let mut reversed = keys;
        reversed.reverse();
        assert_eq!(labels(&reversed), expected, "whatever order they are given in");
        // Once more the same key is no clash.
        assert_eq!(labels(&["team", "team"]), ["meta_team"]);
        assert_eq!(
            labels(&["a-b", "a.b", "a_b_conflict1"]),
            ["meta_a_b_conflict2", "meta_a_b_conflict3", "meta_a_b_conflict1"]
        );
    }

    #[test]
    fn clashes_are_named() {
        let keys = KeyLabels::new("attr", &["a.b".to_owned(), "a-b".to_owned(), "c".to_owned()]);
        let clashing: Vec<_> = keys.clashing().collect();
        assert_eq!(clashing, [("a-b", "attr_a_b_conflict1"), ("a.b", "attr_a_b_conflict2")]);
    }

    /// `printf 'a%.0s' {1..40} | sha256sum`
    #[test]
    fn a_shortened_label_is_the_same_in_every_build() {
        assert_eq!(shortened(&"a".repeat(40), 32), "aaaaaaaaaaaaa…e33cdf9c7f7120b9");
    }

    #[test]
    fn long_labels_are_shortened_between_letters_and_stay_apart() {
        assert_eq!(shortened("short", 32), "short");
        let (one, other) = (format!("{}1", "é".repeat(100)), format!("{}2", "é".repeat(100)));
        let (one, other) = (shortened(&one, 32), shortened(&other, 32));
        assert_ne!(one, other);
        for cut in [one, other] {
            assert!(cut.len() <= 32 && cut.starts_with("éééééé…"), "{cut}");
        }
    }
}
