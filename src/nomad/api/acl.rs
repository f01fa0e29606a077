//! Responses of `GET /v1/acl/token/self`, `GET /v1/acl/policies` and `GET /v1/acl/policy/:name`: the
//! permissions of the token.

use hcl::{Attribute, Block, Expression};
use serde::Deserialize;

/// The token of the request. Its secret is in the response too, but is not read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclToken {
    #[serde(rename = "AccessorID")]
    accessor_id: Option<String>,
    r#type: Option<String>,
}

impl AclToken {
    /// Returns whether it is a management token, or ACLs are disabled.
    pub fn may_everything(&self) -> bool {
        self.r#type.as_deref() == Some("management") || self.accessor_id.as_deref() == Some("acls-disabled")
    }
}

/// A policy in a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclPolicyName {
    /// Its name.
    pub name: Option<String>,
}

/// A policy.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclPolicy {
    rules: Option<String>,
    /// The parsed rules; absent before Nomad 0.10.2.
    #[serde(rename = "RulesJSON")]
    rules_json: Option<AclRules>,
}

/// The relevant rules of a policy.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct AclRules {
    namespaces: Option<Vec<Option<NamespaceRule>>>,
}

/// Rules for a namespace, or for all namespaces that match a pattern.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, rename_all = "PascalCase")]
pub struct NamespaceRule {
    /// Name or pattern; `*` for all.
    pub name: Option<String>,
    /// `read`, `write`, `scale` or `deny`, each short for several capabilities.
    pub policy: Option<String>,
    /// Capabilities such as `read-job`.
    pub capabilities: Option<Vec<Option<String>>>,
}

impl AclPolicy {
    /// Returns its namespace rules; `None` if the rules cannot be parsed.
    pub fn namespaces(self) -> Option<Vec<NamespaceRule>> {
        match self.rules_json {
            Some(rules) => Some(rules.namespaces.into_iter().flatten().flatten().collect()),
            None => namespaces_of(&self.rules?),
        }
    }
}

/// Parses the namespaces of rules in HCL.
fn namespaces_of(rules: &str) -> Option<Vec<NamespaceRule>> {
    let body = hcl::parse(rules).ok()?;
    // Another syntax is not supported.
    if body.attributes().any(|attribute| attribute.key() == "namespace") {
        return None;
    }
    body.blocks().filter(|block| block.identifier() == "namespace").map(rule).collect()
}

fn rule(block: &Block) -> Option<NamespaceRule> {
    let [name] = block.labels() else { return None };
    let mut rule = NamespaceRule { name: Some(name.as_str().to_owned()), ..NamespaceRule::default() };
    for Attribute { key, expr } in block.body().attributes() {
        match (key.as_str(), expr) {
            ("policy", Expression::String(policy)) => rule.policy = Some(policy.clone()),
            ("capabilities", Expression::Array(words)) => {
                let word = |word: &Expression| match word {
                    Expression::String(word) => Some(Some(word.clone())),
                    _ => None,
                };
                rule.capabilities = Some(words.iter().map(word).collect::<Option<_>>()?);
            }
            ("policy" | "capabilities", _) => return None,
            _ => {}
        }
    }
    Some(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(answer: serde_json::Value) -> Option<Vec<NamespaceRule>> {
        serde_json::from_value::<AclPolicy>(answer).unwrap().namespaces()
    }

    fn row(name: &str, policy: Option<&str>, capabilities: Option<&[&str]>) -> NamespaceRule {
        let owned = |word: &&str| Some((*word).to_owned());
        NamespaceRule {
            name: Some(name.to_owned()),
            policy: policy.map(str::to_owned),
            capabilities: capabilities.map(|words| words.iter().map(owned).collect()),
        }
    }

    #[test]
    fn rules_are_read_as_the_servers_parse_them_or_from_hcl() {
        let hcl = r#"
            # The exporter.
            namespace "*" {
              capabilities = ["list-jobs", "read-job"]
            }
            namespace "ci" { policy = "read" }
            namespace "default" {
              variables {
                path "nomad/*" { capabilities = ["read"] }
              }
            }
            node { policy = "read" }"#;
        let expected = [
            row("*", None, Some(&["list-jobs", "read-job"])),
            row("ci", Some("read"), None),
            row("default", None, None),
        ];
        assert_eq!(rules(serde_json::json!({"Rules": hcl})).unwrap(), expected);
        let parsed = serde_json::json!({"Rules": "not looked at {", "RulesJSON": {"Namespaces": [
            {"Name": "*", "Policy": "", "Capabilities": ["list-jobs", null]}, null,
        ], "Node": null}});
        let mut expected = row("*", Some(""), Some(&["list-jobs"]));
        expected.capabilities.as_mut().unwrap().push(None);
        assert_eq!(rules(parsed).unwrap(), [expected]);
        let none = serde_json::json!({"RulesJSON": {"Namespaces": null}});
        assert_eq!(rules(none).unwrap(), []);
    }

    #[test]
    fn unparsable_rules_are_unknown() {
        let deep = format!("namespace \"*\" {{ policy = {}1{} }}", "(".repeat(50_000), ")".repeat(50_000));
        for hcl in [
            "namespace \"*\" {",
            "namespace { policy = \"read\" }",
            "namespace \"*\" \"ci\" { policy = \"read\" }",
            "namespace = { ci = { policy = \"read\" } }",
            "namespace \"*\" { policy = read }",
            "namespace \"*\" { capabilities = \"read-job\" }",
            "namespace \"*\" { capabilities = [1] }",
            &deep,
        ] {
            assert_eq!(rules(serde_json::json!({"Rules": hcl})), None, "{hcl:.60}");
        }
        assert_eq!(rules(serde_json::json!({"Rules": null, "RulesJSON": null})), None);
    }
}
