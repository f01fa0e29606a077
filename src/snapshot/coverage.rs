//! The namespaces that are read, and whether they are all.

/// The name for all namespaces.
const ALL: &str = "*";

/// The configured namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    names: Vec<String>,
    /// The flag or variable that selects them.
    setting: &'static str,
}

impl Default for Scope {
    fn default() -> Self {
        Self { names: vec![ALL.to_owned()], setting: "" }
    }
}

impl Scope {
    /// Creates the scope of a flag or variable. Without a name, or with `*`, it is all namespaces.
    pub fn new(mut names: Vec<String>, setting: &'static str) -> Self {
        if names.is_empty() || names.iter().any(|name| name == ALL) {
            return Self::default();
        }
        names.sort_unstable();
        names.dedup();
        Self { names, setting }
    }

    /// Returns the namespaces as parameters for Nomad: `*` for all.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns this scope if it was selected by this flag or variable, otherwise all namespaces.
    pub fn named_by(&self, setting: &str) -> Self {
        if self.setting == setting { self.clone() } else { Self::default() }
    }

    /// Returns whether all namespaces are selected.
    pub fn is_all(&self) -> bool {
        self.includes(ALL)
    }

    /// Returns whether this namespace is selected.
    pub fn includes(&self, name: &str) -> bool {
        self.names.iter().any(|wanted| wanted == ALL || wanted == name)
    }

    /// Returns which namespaces are read with a token that has this coverage.
    pub(super) fn with_token(&self, token: Option<&NamespaceCoverage>) -> NamespaceCoverage {
        if !self.is_all() {
            return NamespaceCoverage::Partial(format!("{} selects {}", self.setting, listed(&self.names)));
        }
        token.cloned().unwrap_or_else(|| {
            NamespaceCoverage::Unknown("Nomad has not reported the token's permissions yet".into())
        })
    }
}

/// Whether jobs and allocations of all namespaces are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceCoverage {
    /// All are read.
    All,
    /// Not all are read, and why.
    Partial(String),
    /// Unknown, and why.
    Unknown(String),
}

impl Default for NamespaceCoverage {
    fn default() -> Self {
        Scope::default().with_token(None)
    }
}

impl NamespaceCoverage {
    /// Returns whether all namespaces are read; `None` if unknown.
    pub fn sees_all(&self) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::Partial(_) => Some(false),
            Self::Unknown(_) => None,
        }
    }

    /// Returns why not all namespaces are read, if they are known not to be.
    pub fn partial(&self) -> Option<&str> {
        match self {
            Self::Partial(reason) => Some(reason),
            Self::All | Self::Unknown(_) => None,
        }
    }

    /// Returns why not all namespaces are read, or why that is unknown.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Partial(reason) | Self::Unknown(reason) => Some(reason),
        }
    }
}

/// Maximum number of names in a list.
const MAX_NAMES: usize = 10;

/// Joins names for a message.
pub fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(MAX_NAMES)].join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn namespaces_are_unique_and_a_star_selects_all() {
        let scope = Scope::new(names(&["web", "ci", "web"]), "--nomad.namespace");
        assert_eq!(scope.names(), ["ci", "web"]);
        assert!(scope.includes("ci") && !scope.includes("default") && !scope.is_all());
        assert_eq!(scope.named_by("--nomad.namespace"), scope);
        assert!(scope.named_by("NOMAD_NAMESPACE").is_all());
        for all in [&[][..], &["ci", "*"]] {
            let scope = Scope::new(names(all), "--nomad.namespace");
            assert_eq!(scope, Scope::default());
            assert!(scope.is_all() && scope.includes("ci"));
        }
    }

    #[test]
    fn settings_take_precedence_over_the_token() {
        let some = Scope::new(names(&["web", "ci"]), "NOMAD_NAMESPACE");
        let partial = NamespaceCoverage::Partial("NOMAD_NAMESPACE selects ci, web".into());
        assert_eq!(some.with_token(Some(&NamespaceCoverage::All)), partial);
        assert_eq!(some.with_token(None), partial);
        let all = Scope::default();
        assert_eq!(all.with_token(None).sees_all(), None);
        for coverage in [
            NamespaceCoverage::All,
            NamespaceCoverage::Partial("narrow".into()),
            NamespaceCoverage::Unknown("odd".into()),
        ] {
            assert_eq!(all.with_token(Some(&coverage)), coverage);
        }
    }

    #[test]
    fn long_lists_of_names_are_shortened() {
        let many: Vec<String> = (10..25).map(|number| format!("team-{number}")).collect();
        assert!(listed(&many).ends_with("team-18, team-19 and 5 more"));
        assert_eq!(listed(&many[..10]).matches("team").count(), 10);
    }
}
