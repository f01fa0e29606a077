//! Who may read and change what.

use std::collections::{BTreeMap, BTreeSet};

/// Who may read what.
#[derive(Clone, Debug, Default)]
pub enum Acl {
    /// Everybody everything.
    #[default]
    Off,
    /// What the policy behind a token's secret allows, and nothing without a token.
    On(BTreeMap<String, Policy>),
}

/// In which namespaces a capability holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// In none.
    #[default]
    Nowhere,
    /// In these.
    Namespaces(BTreeSet<String>),
    /// In all.
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

/// What a token allows. A token that looks like a JSON Web Token is the identity of a workload; any other is one of
/// Nomad's ACL tokens.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Its name; `policy` if it has none.
    pub name: String,
    /// The role through which the token has it, if it is not linked directly.
    pub role: Option<String>,
    /// Its rules as somebody wrote them. Without them the simulator writes its own, which say the same.
    pub rules: Option<String>,
    /// `list-jobs`: the list of jobs.
    pub list_jobs: Scope,
    /// `read-job`: jobs, allocations, evaluations and deployments.
    pub read_job: Scope,
    /// `read-logs`: what tasks have written.
    pub read_logs: Scope,
    /// `node { policy = "read" }`.
    pub node: bool,
    /// `node { policy = "write" }`, beside the right to read.
    pub node_write: bool,
    /// `agent { policy = "read" }`.
    pub agent: bool,
    /// `operator { policy = "read" }`.
    pub operator: bool,
    /// `node_pool "*" { policy = "read" }`.
    pub node_pool: bool,
    /// A management token, which may do everything.
    pub management: bool,
}

impl Policy {
    /// What a read-only exporter needs.
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

    /// What somebody needs who reads logs and drains nodes too.
    pub fn operator() -> Policy {
        let name = "operator".to_owned();
        Policy { name, read_logs: Scope::Everywhere, node_write: true, ..Policy::exporter() }
    }

    /// Everything.
    pub fn management() -> Policy {
        Policy { management: true, ..Policy::exporter() }
    }

    /// What a read-only exporter needs, but of these namespaces only.
    pub fn narrow(namespaces: &[&str]) -> Policy {
        let names = || Scope::Namespaces(namespaces.iter().map(|name| (*name).to_owned()).collect());
        Policy { name: "narrow".to_owned(), list_jobs: names(), read_job: names(), ..Policy::exporter() }
    }

    /// The same policy, linked to the token through a role.
    pub fn through(mut self, role: &str) -> Policy {
        self.role = Some(role.to_owned());
        self
    }

    pub(crate) fn name(&self) -> &str {
        if self.name.is_empty() { "policy" } else { &self.name }
    }

    /// The rules, in HCL.
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

    /// The capabilities by namespace. What is said of a single namespace replaces what is said of all.
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

    /// What it says of other things than namespaces.
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
