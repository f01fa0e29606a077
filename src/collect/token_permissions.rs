//! Permissions of the token, as far as Nomad reports them.

use std::collections::BTreeMap;

use crate::nomad::api::{AclPolicy, AclPolicyName, AclToken, NamespaceRule};
use crate::nomad::{Client, Endpoint, Error, Meta, Request};
use crate::snapshot::{NamespaceCoverage, listed};

/// Maximum number of policies read per token.
const MAX_POLICIES: usize = 100;
/// Name of the policy rule for namespaces without a rule of their own.
const EVERYWHERE: &str = "*";

/// Permissions of a token, and what they were determined from.
#[derive(Debug)]
pub struct TokenPermissions {
    /// Whether the token may read the jobs and allocations of all namespaces.
    pub coverage: NamespaceCoverage,
    /// Number of policies read.
    pub policies: u64,
    /// Data from the response headers.
    pub meta: Meta,
}

/// Determines whether the token may read the jobs and allocations of all namespaces. If Nomad refuses the
/// request, this is unknown, which is not an error.
pub async fn token_permissions(client: &Client) -> Result<TokenPermissions, Error> {
    let mut known = TokenPermissions { coverage: NamespaceCoverage::All, policies: 0, meta: Meta::default() };
    known.coverage = match known.ask(client).await {
        Ok(coverage) => coverage,
        // Without ACLs, servers respond with this to all ACL requests.
        Err(error) if error.message().is_some_and(|text| text.contains("ACL support disabled")) => {
            NamespaceCoverage::All
        }
        Err(error) if is_refusal(&error) => {
            let answer = error.message().unwrap_or_default();
            NamespaceCoverage::Unknown(format!(
                "Nomad does not report the token's permissions but responds `{answer}`"
            ))
        }
        Err(error) => return Err(error),
    };
    Ok(known)
}

impl TokenPermissions {
    async fn ask(&mut self, client: &Client) -> Result<NamespaceCoverage, Error> {
        match client.object::<AclToken>(Request::new(Endpoint::AclToken, "/v1/acl/token/self")).await {
            Ok((token, meta)) => {
                self.meta = meta;
                if token.may_everything() {
                    return Ok(NamespaceCoverage::All);
                }
            }
            // A workload identity is not an ACL token, but it has policies.
            Err(Error::Status { status: 403 | 404, .. }) => {}
            Err(error) => return Err(error),
        }
        // This list includes the policies of the token's roles.
        let list = Request::new(Endpoint::AclPolicies, "/v1/acl/policies");
        let (list, meta) = client.object::<Option<Vec<Option<AclPolicyName>>>>(list).await?;
        self.meta = self.meta.and(meta);
        let names: Vec<String> = list.into_iter().flatten().flatten().filter_map(|row| row.name).collect();
        if names.len() > MAX_POLICIES {
            let count = names.len();
            let reason = format!("the token has {count} policies; only {MAX_POLICIES} are supported");
            return Ok(NamespaceCoverage::Unknown(reason));
        }
        let mut rules = Vec::new();
        for name in names {
            let path = format!("/v1/acl/policy/{}", Request::escape(&name));
            match client.object::<AclPolicy>(Request::new(Endpoint::AclPolicy, path)).await {
                Ok((policy, meta)) => {
                    self.policies += 1;
                    self.meta = self.meta.and(meta);
                    let Some(namespaces) = policy.namespaces() else {
                        return Ok(NamespaceCoverage::Unknown(format!(
                            "the rules of the policy {name} cannot be read"
                        )));
                    };
                    rules.extend(namespaces);
                }
                // The policy was deleted after it was listed, so it grants nothing.
                Err(Error::Status { status: 404, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(coverage_of(rules))
    }
}

fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Status { status: 400 | 401 | 403 | 404, .. })
}

/// Permissions granted by the rules for one name.
#[derive(Default)]
struct Granted {
    denied: bool,
    list_jobs: bool,
    read_job: bool,
}

impl Granted {
    /// Adds a capability, or a policy, which Nomad expands to several capabilities.
    fn add(&mut self, word: &str) {
        self.denied |= word == "deny";
        self.list_jobs |= matches!(word, "list-jobs" | "read" | "write");
        self.read_job |= matches!(word, "read-job" | "read" | "write" | "scale");
    }

    fn is_enough(&self) -> bool {
        !self.denied && self.list_jobs && self.read_job
    }
}

/// Returns what these rules allow a token to read. Nomad applies only the most specific rule for a namespace,
/// so a specific rule that grants less than the `*` rule removes permissions.
fn coverage_of(rules: Vec<NamespaceRule>) -> NamespaceCoverage {
    let mut by_name: BTreeMap<String, Granted> = BTreeMap::new();
    for rule in rules {
        let granted = by_name.entry(rule.name.unwrap_or_default()).or_default();
        let words = rule.capabilities.into_iter().flatten().flatten().chain(rule.policy);
        words.for_each(|word| granted.add(&word));
    }
    let named = |is_enough: bool| -> Vec<String> {
        let rules = by_name.iter().filter(|(_, granted)| granted.is_enough() == is_enough);
        rules.map(|(name, _)| name.clone()).collect()
    };
    let (enough, less) = (named(true), named(false));
    match (enough.iter().any(|name| name == EVERYWHERE), &less[..]) {
        (true, []) => NamespaceCoverage::All,
        (true, less) => {
            NamespaceCoverage::Partial(format!("the token cannot read all jobs in {}", listed(less)))
        }
        (false, _) if enough.is_empty() => {
            NamespaceCoverage::Partial("the token cannot read all jobs in any namespace".into())
        }
        (false, _) => {
            NamespaceCoverage::Partial(format!("the token can read jobs in {} only", listed(&enough)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what policies with these rules allow a token to read.
    fn coverage(policies: &[&str]) -> NamespaceCoverage {
        let namespaces = |rules: &&str| {
            let policy = serde_json::from_value::<AclPolicy>(serde_json::json!({ "Rules": rules })).unwrap();
            policy.namespaces().unwrap()
        };
        coverage_of(policies.iter().flat_map(namespaces).collect())
    }

    #[test]
    fn a_rule_for_all_namespaces_and_none_that_grants_less_reads_all() {
        for policies in [
            &[r#"namespace "*" { capabilities = ["list-jobs", "read-job"] }"#][..],
            &[r#"namespace "*" { policy = "read" }"#],
            &[r#"namespace "*" { policy = "write" }"#],
            &["namespace \"*\" {\n policy = \"scale\"\n capabilities = [\"list-jobs\"]\n}"],
            &[r#"namespace "*" { policy = "scale" }"#, r#"namespace "*" { capabilities = ["list-jobs"] }"#],
            &["namespace \"*\" { policy = \"read\" }\nnamespace \"ci-*\" { policy = \"write\" }"],
            &[r#"node { policy = "read" }"#, r#"namespace "*" { policy = "read" }"#],
            &[
                r#"namespace "ci" { capabilities = ["submit-job"] }"#,
                r#"namespace "*" { policy = "read" }"#,
                r#"namespace "ci" { policy = "read" }"#,
            ],
        ] {
            assert_eq!(coverage(policies), NamespaceCoverage::All, "{policies:?}");
        }
    }

    #[test]
    fn less_is_a_part_and_the_reason_names_it() {
        let nothing = "the token cannot read all jobs in any namespace";
        for (policies, reason) in [
            (&[][..], nothing),
            (&[r#"node { policy = "read" }"#], nothing),
            (&[r#"namespace "*" { policy = "deny" }"#], nothing),
            (&[r#"namespace "*" { policy = "scale" }"#], nothing),
            (&[r#"namespace "*" { capabilities = ["read-job"] }"#], nothing),
            (&[r#"namespace "*" { capabilities = ["list-jobs", "read-logs"] }"#], nothing),
            (&[r#"namespace "*" { policy = "list" }"#], nothing),
            (
                &[r#"namespace "*" { policy = "read" }"#, r#"namespace "*" { capabilities = ["deny"] }"#],
                nothing,
            ),
            (
                &["namespace \"ci\" { policy = \"read\" }\nnamespace \"team-*\" { policy = \"write\" }"],
                "the token can read jobs in ci, team-* only",
            ),
            (
                &["namespace \"ci\" { policy = \"read\" }\nnamespace \"*\" { policy = \"deny\" }"],
                "the token can read jobs in ci only",
            ),
            (
                &[r#"namespace "*" { policy = "read" }"#, r#"namespace "secret" { policy = "deny" }"#],
                "the token cannot read all jobs in secret",
            ),
            (
                &[
                    "namespace \"*\" { policy = \"read\" }\nnamespace \"ci-*\" { capabilities = [\"list-jobs\"] }",
                ],
                "the token cannot read all jobs in ci-*",
            ),
            // Nomad applies only the most specific rule, and this one grants only access to variables.
            (
                &["namespace \"*\" { policy = \"read\" }\nnamespace \"default\" {\n variables {\n \
                   path \"*\" { capabilities = [\"read\"] }\n }\n}"],
                "the token cannot read all jobs in default",
            ),
        ] {
            assert_eq!(coverage(policies), NamespaceCoverage::Partial(reason.to_owned()), "{policies:?}");
        }
    }
}
