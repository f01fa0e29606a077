//! ACLs: permissions of tokens.

use std::collections::{BTreeMap, BTreeSet};

/// ACL settings.
#[derive(Clone, Debug, Default)]
pub enum Acl {
    /// ACLs are disabled.
    #[default]
    Off,
    /// Policies by the secret of their token; nothing is permitted without a token.
    On(BTreeMap<String, Policy>),
}

/// Namespaces for which a capability is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// No namespaces.
    #[default]
    Nowhere,
    /// These namespaces.
    Namespaces(BTreeSet<String>),
    /// All namespaces.
    Everywhere,
}

impl Scope {
    pub(crate) fn covers(&self, namespace: &str) -> bool {
        match self {
            Scope::Nowhere => false,
            Scope::Namespaces(names) => names.contains(namespace),
            Scope::Everywhere => true,
        }
    }
}

/// Permissions of a token. A token that looks like a JSON Web Token is a workload identity; any other is an
/// ACL token.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Its name; `policy` if it has none.
    pub name: String,
    /// The role with the policy, if it is not linked to the token directly.
    pub role: Option<String>,
    /// Rules in a custom syntax; otherwise the simulator writes equivalent ones.
    pub rules: Option<String>,
    /// `list-jobs`: the list of jobs.
    pub list_jobs: Scope,
    /// `read-job`: jobs, allocations, evaluations and deployments.
    pub read_job: Scope,
    /// `read-logs`: logs of tasks.
    pub read_logs: Scope,
    /// `node { policy = "read" }`.
    pub node: bool,
    /// `node { policy = "write" }`, in addition to read permission.
    pub node_write: bool,
    /// `agent { policy = "read" }`.
    pub agent: bool,
    /// `operator { policy = "read" }`.
    pub operator: bool,
    /// `node_pool "*" { policy = "read" }`.
    pub node_pool: bool,
    /// A management token, with all permissions.
    pub management: bool,
}

impl Policy {
    /// Returns the policy of a read-only exporter.
    pub fn exporter() -> Policy {
        Policy {
            name: "exporter".to_owned(),
            role: None,
            rules: None,
            list_jobs: Scope::Everywhere,
            read_job: Scope::Everywhere,
            read_logs: Scope::Nowhere,
            node: true,
            node_write: false,
            agent: true,
            operator: true,
            node_pool: true,
            management: false,
        }
    }

    /// Returns a policy that also permits reading logs and draining nodes.
    pub fn operator() -> Policy {
        let name = "operator".to_owned();
        Policy { name, read_logs: Scope::Everywhere, node_write: true, ..Policy::exporter() }
    }

    /// Returns the policy of a management token.
    pub fn management() -> Policy {
        Policy { management: true, ..Policy::exporter() }
    }

    /// Returns the policy of a read-only exporter for these namespaces only.
    pub fn narrow(namespaces: &[&str]) -> Policy {
        let names = || Scope::Namespaces(namespaces.iter().map(|name| (*name).to_owned()).collect());
        Policy { name: "narrow".to_owned(), list_jobs: names(), read_job: names(), ..Policy::exporter() }
    }

    /// Returns the policy, linked to the token through a role.
    pub fn through(mut self, role: &str) -> Policy {
        self.role = Some(role.to_owned());
        self
    }

    pub(crate) fn name(&self) -> &str {
        if self.name.is_empty() { "policy" } else { &self.name }
    }

    /// Returns the rules in HCL.
    pub(crate) fn rules(&self) -> String {
        if let Some(rules) = &self.rules {
            return rules.clone();
        }
        let namespaces = self.namespaces().into_iter().map(|(name, capabilities)| {
            format!("namespace {name:?} {{\n  capabilities = {capabilities:?}\n}}\n")
        });
        let others = self.others().into_iter().map(|(block, policy)| {
            let label = if block == "node_pool" { " \"*\"" } else { "" };
            format!("{block}{label} {{\n  policy = {policy:?}\n}}\n")
        });
        namespaces.chain(others).collect()
    }

    /// Returns the capabilities by namespace. Rules for a single namespace replace those for all.
    pub(crate) fn namespaces(&self) -> BTreeMap<String, Vec<&'static str>> {
        let scopes =
            [("list-jobs", &self.list_jobs), ("read-job", &self.read_job), ("read-logs", &self.read_logs)];
        let mut names = BTreeSet::new();
        for (_, scope) in scopes {
            match scope {
                Scope::Nowhere => {}
                Scope::Namespaces(of) => names.extend(of.iter().cloned()),
                Scope::Everywhere => names.extend(["*".to_owned()]),
            }
        }
        let capabilities = |name: &str| {
            let holding = scopes.into_iter().filter(|(_, scope)| scope.covers(name));
            holding.map(|(capability, _)| capability).collect()
        };
        names.into_iter().map(|name| (name.clone(), capabilities(&name))).collect()
    }

    /// Returns the rules for other objects than namespaces.
    pub(crate) fn others(&self) -> Vec<(&'static str, &'static str)> {
        let node = if self.node_write { "write" } else { "read" };
        let blocks = [
            ("node", node, self.node || self.node_write),
            ("agent", "read", self.agent),
            ("operator", "read", self.operator),
            ("node_pool", "read", self.node_pool),
        ];
        blocks.into_iter().filter(|(.., has)| *has).map(|(block, policy, _)| (block, policy)).collect()
    }
}
