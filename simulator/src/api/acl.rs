//! ACL tokens with their policies and roles.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal};
use crate::cluster::{Acl, Id, Policy, SeededNumbers};
use crate::time::rfc3339;
use crate::version::since;

use super::{Call, Reply};

/// Raft index at which tokens and policies were written.
const WRITTEN_AT: u64 = 7;

impl Call<'_> {
    /// The token of the request.
    pub(super) fn acl_token(&self) -> Reply {
        let tells_everybody = self.version() >= since::WHO_AM_I;
        let Acl::On(policies) = &self.cluster.settings.acl else {
            if tells_everybody {
                return self.acl_answer(&self.token("acls-disabled", "ACLs disabled token", None));
            }
            return Err(disabled());
        };
        self.check_leader()?;
        let unknown = || Ok(self.with_meta(0, Answer::error(StatusCode::NOT_FOUND, "ACL token not found")));
        match self.request.token.as_deref() {
            None if tells_everybody => self.acl_answer(&self.token("anonymous", "Anonymous Token", None)),
            None => unknown(),
            Some(secret) => match policies.get(secret) {
                Some(_) if is_workload(secret) => unknown(),
                Some(policy) => {
                    let accessor = uuid(secret).to_string();
                    self.acl_answer(&self.token(&accessor, "", Some((secret, policy))))
                }
                None if tells_everybody => Err(Refusal::forbidden()),
                None => unknown(),
            },
        }
    }

    /// Lists the policies that the token may read.
    pub(super) fn acl_policies(&self) -> Reply {
        let readable = self.readable_policies()?;
        let prefix = self.request.query.get("prefix").unwrap_or_default();
        let rows = readable.values().filter(|policy| policy.name().starts_with(prefix)).map(|policy| {
            json!({
                "Name": policy.name(),
                "Description": "",
                "Hash": hash(&policy.rules()),
                "CreateIndex": WRITTEN_AT,
                "ModifyIndex": WRITTEN_AT,
            })
        });
        self.acl_answer(&Value::Array(rows.collect()))
    }

    pub(super) fn acl_policy(&self, name: &str) -> Reply {
        let readable = self.readable_policies()?;
        match readable.get(name) {
            Some(policy) => self.acl_answer(&self.policy(policy)),
            None if self.is_management() || name == "anonymous" => {
                Ok(self.with_meta(WRITTEN_AT, Answer::error(StatusCode::NOT_FOUND, "ACL policy not found")))
            }
            None => Err(Refusal::forbidden()),
        }
    }

    pub(super) fn acl_role(&self, id: &str) -> Reply {
        let readable = self.readable_policies()?;
        let linked =
            |policy: &&&Policy| policy.role.as_ref().is_some_and(|role| uuid(role).to_string() == id);
        let Some(policy) = readable.values().find(linked) else { return Err(Refusal::forbidden()) };
        self.acl_answer(&json!({
            "ID": id,
            "Name": policy.role,
            "Description": "",
            "Policies": [{"Name": policy.name()}],
            "Hash": hash(id),
            "CreateIndex": WRITTEN_AT,
            "ModifyIndex": WRITTEN_AT,
        }))
    }

    /// The policies that the token may read, by name: its own, or all if it is a management token.
    fn readable_policies(&self) -> Result<BTreeMap<&str, &Policy>, Refusal> {
        let Acl::On(policies) = &self.cluster.settings.acl else { return Err(disabled()) };
        self.access.require_known(self.version())?;
        self.check_leader()?;
        let own = self.request.token.as_deref();
        let all = self.is_management();
        let readable = policies
            .iter()
            .filter(|(secret, policy)| !policy.management && (all || Some(secret.as_str()) == own));
        Ok(readable.map(|(_, policy)| (policy.name(), policy)).collect())
    }

    fn is_management(&self) -> bool {
        let Acl::On(policies) = &self.cluster.settings.acl else { return false };
        let own = self.request.token.as_ref().and_then(|secret| policies.get(secret));
        own.is_some_and(|policy| policy.management)
    }

    fn acl_answer(&self, value: &Value) -> Reply {
        Ok(self.read(WRITTEN_AT, value))
    }

    fn token(&self, accessor: &str, name: &str, own: Option<(&str, &Policy)>) -> Value {
        let policy = own.map(|(_, policy)| policy).filter(|policy| !policy.management);
        let linked = policy.filter(|policy| policy.role.is_none()).map(|policy| vec![policy.name()]);
        let linked = linked.or_else(|| (accessor == "anonymous").then(|| vec!["anonymous"]));
        let role = policy.and_then(|policy| policy.role.as_deref());
        let management = own.is_some_and(|(_, policy)| policy.management);
        let mut token = json!({
            "AccessorID": accessor,
            "SecretID": own.map_or("", |(secret, _)| secret),
            "Name": name,
            "Type": if management { "management" } else { "client" },
            "Policies": linked,
            "Global": false,
            "Hash": own.map(|_| hash(accessor)),
            "CreateTime": own.map_or("0001-01-01T00:00:00Z".to_owned(), |_| rfc3339(self.cluster.settings.start)),
            "CreateIndex": own.map_or(0, |_| WRITTEN_AT),
            "ModifyIndex": own.map_or(0, |_| WRITTEN_AT),
        });
        if self.version() >= since::ACL_ROLES {
            token["Roles"] =
                role.map_or(Value::Null, |role| json!([{"ID": uuid(role).to_string(), "Name": role}]));
            token["ExpirationTTL"] = json!("");
            token["ExpirationTime"] = Value::Null;
        }
        token
    }

    fn policy(&self, policy: &Policy) -> Value {
        let version = self.version();
        let rules = policy.rules();
        let mut row = json!({
            "Name": policy.name(),
            "Description": "",
            "Rules": rules,
            "RulesJSON": Value::Null,
            "Hash": hash(&rules),
            "CreateIndex": WRITTEN_AT,
            "ModifyIndex": WRITTEN_AT,
        });
        if policy.rules.is_none() {
            row["RulesJSON"] = self.parsed_rules(policy, rules);
        }
        if version >= since::ACL_ROLES {
            row["JobACL"] = Value::Null;
        }
        row
    }

    /// The rules as parsed by the servers.
    fn parsed_rules(&self, policy: &Policy, rules: String) -> Value {
        let version = self.version();
        let namespaces = policy.namespaces().into_iter().map(|(name, capabilities)| {
            let mut row = json!({"Name": name, "Policy": "", "Capabilities": capabilities});
            if version >= since::ACL_ROLES {
                row["Variables"] = Value::Null;
            }
            row
        });
        let others: BTreeMap<_, _> = policy.others().into_iter().collect();
        let other = |block: &str| others.get(block).map_or(Value::Null, |policy| json!({"Policy": policy}));
        let mut parsed = json!({
            "Namespaces": namespaces.collect::<Value>(),
            "HostVolumes": null,
            "Agent": other("agent"),
            "Node": other("node"),
            "Operator": other("operator"),
            "Quota": null,
            "Plugin": null,
            "Raw": rules,
        });
        if version >= since::NODE_POOLS {
            let pools = json!([{"Name": "*", "Policy": "read", "Capabilities": ["read"]}]);
            parsed["NodePools"] = others.get("node_pool").map_or(Value::Null, |_| pools);
        }
        parsed
    }
}

fn disabled() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "ACL support disabled")
}

/// Whether a token is a workload identity (a JSON Web Token).
fn is_workload(token: &str) -> bool {
    token.matches('.').count() == 2
}

fn uuid(of: &str) -> Id {
    SeededNumbers::new(number(of)).id()
}

fn hash(of: &str) -> String {
    BASE64_STANDARD.encode(number(of).to_be_bytes())
}

fn number(of: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
