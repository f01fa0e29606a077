//! `status`, `jobs`, `nodes` and `node`.

use serde_json::{Value, json};

use super::{ask, beside};
use crate::answers::{Answers, is_template, number, text};
use crate::cluster::{CLIENTS, Cluster};
use crate::metrics::{
    Amounts, allocatable, allocated, is_drained, occupying, outcome, queued_of, reason_of, remaining, state,
    waits_since,
};
use crate::report::Report;

pub(super) fn compare(cluster: &Cluster, report: &mut Report) {
    let printed = |arguments: &[&str]| super::json(cluster, arguments);
    beside(cluster, report, "status", status, || {
        let status = printed(&["status"]);
        let clients = of(&status["clients"], |row| json!([row["state"], row["count"]]));
        let waiting =
            of(&status["oldest_pending"], |row| json!([row["namespace"], row["id"], row["reason"]]));
        let drains =
            of(&status["drains"], |row| json!([row["name"], row["drained"], row["remaining_allocations"]]));
        let jobs =
            ["pending", "running", "dead", "queued_allocations"].map(|key| number(&status["jobs"][key]));
        json!({"jobs": jobs, "clients": sorted(clients), "waiting": lines(waiting), "drains": sorted(drains)})
    });
    beside(cluster, report, "the first line of status", first_line, || {
        let screen = ask(cluster, &["status"]).stdout;
        screen.lines().find(|line| line.starts_with("Jobs")).unwrap_or_default().into()
    });
    beside(cluster, report, "pools of status", pools, || {
        sorted(of(&printed(&["status"])["pools"], |pool| {
            let share = |key: &str| [number(&pool[key]["allocatable"]), number(&pool[key]["allocated"])];
            let counts =
                ["active_clients", "other_clients", "queued_allocations"].map(|key| number(&pool[key]));
            json!([pool["name"], counts, share("cpu_hertz"), share("memory_bytes")])
        }))
    });
    beside(cluster, report, "jobs", jobs, || {
        let jobs = printed(&["jobs", "--limit", "1000"]);
        sorted(of(&jobs["jobs"], |job| {
            let keys = ["namespace", "id", "type", "status", "template", "reason", "outcome"];
            json!([keys.map(|key| job[key].clone()), number(&job["queued_allocations"])])
        }))
    });
    beside(cluster, report, "nodes", nodes, || {
        sorted(of(&printed(&["nodes"])["nodes"], |node| {
            let keys = ["id", "name", "state", "pool", "class", "datacenter", "version"];
            let counts = ["running", "live"].map(|key| number(&node[key]));
            json!([keys.map(|key| node[key].clone()), counts, levels(&node["levels"])])
        }))
    });
    for name in CLIENTS {
        let expected = |answers: &Answers| node(answers, name);
        beside(cluster, report, &format!("node {name}"), expected, || {
            let node = printed(&["node", name]);
            let allocations = of(&node["allocations"], |row| {
                json!(["id", "namespace", "job_id", "task_group", "status"].map(|key| row[key].clone()))
            });
            let drivers = of(&node["drivers"], |row| json!([row["name"], row["healthy"]]));
            json!([node["id"], node["state"], node["eligible"], sorted(allocations), sorted(drivers)])
        });
    }
}

/// Maps each row of a list.
fn of(rows: &Value, part: impl Fn(&Value) -> Value) -> Vec<Value> {
    rows.as_array().into_iter().flatten().map(part).collect()
}

/// Sorts rows, to be independent of the order on the screen.
fn sorted(rows: Vec<Value>) -> Value {
    let mut rows = lines(rows);
    rows.sort_unstable();
    rows.into()
}

/// Returns each row as text, so that a difference names the row.
fn lines(rows: Vec<Value>) -> Vec<String> {
    rows.iter().map(Value::to_string).collect()
}

/// Returns the number of pending, running and dead jobs, and of queued allocations.
fn counts(answers: &Answers) -> [f64; 4] {
    let count = |status: &str| answers.work().filter(|job| text(job, "Status") == status).count() as f64;
    let live = answers.jobs.iter().filter(|job| text(job, "Status") != "dead");
    let queued = live.map(|job| queued_of(answers, job)).sum();
    [count("pending"), count("running"), count("dead"), queued]
}

fn status(answers: &Answers) -> Value {
    let mut pending: Vec<&Value> = answers.work().filter(|job| text(job, "Status") == "pending").collect();
    pending.sort_by(|one, other| waits_since(answers, one).total_cmp(&waits_since(answers, other)));
    let waiting = pending.iter().take(20);
    let waiting: Vec<Value> =
        waiting.map(|job| json!([job["Namespace"], job["ID"], reason_of(answers, job)])).collect();
    let mut clients = std::collections::BTreeMap::from([("active", 0)]);
    answers.nodes.iter().for_each(|node| *clients.entry(state(node)).or_default() += 1);
    let clients = clients.iter().map(|(state, count)| json!([state, count])).collect();
    let drain = |node: &Value| {
        let left = match node["Drain"] == true {
            true => remaining(answers, node),
            false => occupying(answers, node).count() as f64,
        };
        Some(json!([node["Name"], is_drained(answers, node)?, left as u64]))
    };
    let drains = answers.nodes.iter().filter_map(drain).collect();
    json!({"jobs": counts(answers), "clients": sorted(clients), "waiting": lines(waiting), "drains": sorted(drains)})
}

fn first_line(answers: &Answers) -> Value {
    let [pending, running, dead, queued] = counts(answers);
    let queued = if queued > 0.0 { format!(", {queued} queued") } else { String::new() };
    format!("Jobs        {pending} pending, {running} running, {dead} dead{queued}").into()
}

fn pools(answers: &Answers) -> Value {
    let mut names: Vec<&str> = answers.nodes.iter().map(|node| text(node, "NodePool")).collect();
    let live = || answers.jobs.iter().filter(|job| text(job, "Status") != "dead");
    names.extend(live().filter(|job| queued_of(answers, job) > 0.0).map(|job| text(job, "NodePool")));
    names.sort_unstable();
    names.dedup();
    let pool = |name: &&str| {
        // The pool `all` contains every node.
        let nodes: Vec<&Value> =
            answers.nodes.iter().filter(|node| *name == "all" || text(node, "NodePool") == *name).collect();
        let active: Vec<&&Value> = nodes.iter().filter(|node| state(node) == "active").collect();
        let sum =
            |of: &dyn Fn(&Value) -> f64| active.iter().map(|node| of(node)).fold(0.0, |sum, part| sum + part);
        let queued: f64 =
            live().filter(|job| text(job, "NodePool") == *name).map(|job| queued_of(answers, job)).sum();
        let counts = [active.len() as f64, (nodes.len() - active.len()) as f64, queued];
        let cpu = [sum(&|node| allocatable(node).cpu), sum(&|node| allocated(answers, node).cpu)];
        let memory = [sum(&|node| allocatable(node).memory), sum(&|node| allocated(answers, node).memory)];
        json!([name, counts, cpu, memory])
    };
    sorted(names.iter().map(pool).collect())
}

fn jobs(answers: &Answers) -> Value {
    let job = |job: &Value| {
        let template = match is_template(job) {
            true if job["Periodic"] == true => json!("periodic"),
            true => json!("parameterized"),
            false => Value::Null,
        };
        let is = |status: &str| text(job, "Status") == status;
        let reason = if is("pending") { reason_of(answers, job).into() } else { Value::Null };
        let outcome = if is("dead") { outcome(answers, job).into() } else { Value::Null };
        let known = ["Namespace", "ID", "Type", "Status"].map(|key| job[key].clone());
        let [namespace, id, kind, status] = known;
        json!([[namespace, id, kind, status, template, reason, outcome], queued_of(answers, job)])
    };
    sorted(answers.jobs.iter().map(job).collect())
}

fn nodes(answers: &Answers) -> Value {
    let node = |node: &Value| {
        let running = answers.live_on(node).filter(|row| text(row, "ClientStatus") == "running").count();
        let counts = [running, answers.live_on(node).count()].map(|count| count as f64);
        let known = ["ID", "Name"].map(|key| text(node, key));
        let place = ["NodePool", "NodeClass", "Datacenter", "Version"].map(|key| text(node, key));
        let named = [&known[..], &[state(node)], &place[..]].concat();
        let (taken, whole) = (allocated(answers, node), allocatable(node));
        json!([named, counts, level(&taken, &whole)])
    };
    sorted(answers.nodes.iter().map(node).collect())
}

fn level(taken: &Amounts, whole: &Amounts) -> Value {
    json!([taken.cpu, whole.cpu, taken.memory, whole.memory])
}

fn levels(levels: &Value) -> Value {
    let [cpu, memory] = [&levels["allocated_cpu_hertz"], &levels["allocated_memory_bytes"]];
    json!([
        number(&cpu["amount"]),
        number(&cpu["total"]),
        number(&memory["amount"]),
        number(&memory["total"])
    ])
}

fn node(answers: &Answers, name: &str) -> Value {
    let Some(node) = answers.nodes.iter().find(|node| text(node, "Name") == name) else { return Value::Null };
    let allocation = |row: &Value| {
        json!(["ID", "Namespace", "JobID", "TaskGroup", "ClientStatus"].map(|key| row[key].clone()))
    };
    let drivers = node["Drivers"].as_object().into_iter().flatten();
    let drivers = drivers.filter(|(_, driver)| driver["Detected"] == true);
    let drivers = drivers.map(|(name, driver)| json!([name, driver["Healthy"]])).collect();
    let is_eligible = text(node, "SchedulingEligibility") == "eligible";
    let allocations = answers.live_on(node).map(allocation).collect();
    json!([node["ID"], state(node), is_eligible, sorted(allocations), sorted(drivers)])
}
