//! Lines of the event stream: transactions and heartbeats.

use serde::Deserialize;

use crate::nomad::api::Map;
use crate::terms::{ClientStatus, EvalStatus, JobStatus, vocabulary};

vocabulary! {
    /// Topic of an event.
    Topic { Job = "Job", Allocation = "Allocation", Evaluation = "Evaluation" } else Other
}

impl Topic {
    /// Topics of the subscription. Nodes are excluded, because each update of an allocation sends a full node.
    /// Deployments are excluded, because their list is short.
    pub(super) const SUBSCRIBED: [Self; 3] = [Self::Job, Self::Allocation, Self::Evaluation];
}

/// The changes of one entry of the Raft log.
#[derive(Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Raft index.
    pub index: u64,
    /// The changes, in order.
    pub events: Vec<Event>,
}

/// One change.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// The topic.
    pub topic: Topic,
    /// The changed object; `None` if the event does not name it or does not show its state.
    pub subject: Option<Subject>,
}

/// A changed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Namespace.
    pub namespace: String,
    /// ID of the object.
    pub id: String,
    /// ID of the job that it is or belongs to.
    pub job_id: String,
    /// Parent of a periodic or dispatched job.
    pub parent_id: Option<String>,
    /// Whether it is now a dead job, a terminal allocation or a processed evaluation.
    pub is_over: bool,
    /// Whether it is an allocation that failed or has restarted tasks.
    pub has_trouble: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    index: Option<u64>,
    events: Option<Vec<Option<Sent>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Sent {
    topic: Topic,
    key: Option<String>,
    namespace: Option<String>,
    filter_keys: Option<Vec<Option<String>>>,
    payload: Option<Payload>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Payload {
    job: Option<JobState>,
    allocation: Option<Place>,
    evaluation: Option<EvaluationState>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct JobState {
    namespace: Option<String>,
    #[serde(rename = "ParentID")]
    parent_id: Option<String>,
    status: Option<JobStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Place {
    namespace: Option<String>,
    #[serde(rename = "JobID")]
    job_id: Option<String>,
    client_status: Option<ClientStatus>,
    task_states: Option<Map<Restarts>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct EvaluationState {
    namespace: Option<String>,
    #[serde(rename = "JobID")]
    job_id: Option<String>,
    status: Option<EvalStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Restarts {
    restarts: Option<i64>,
}

impl Place {
    fn has_trouble(&self) -> bool {
        let restarted = |task: &Restarts| task.restarts.is_some_and(|restarts| restarts != 0);
        let mut tasks = self.task_states.iter().flatten().filter_map(|(_, task)| task.as_ref());
        self.client_status == Some(ClientStatus::Failed) || tasks.any(restarted)
    }
}

/// Decodes a line. Returns `None` for a heartbeat.
pub(super) fn decode(line: &[u8]) -> Result<Option<Transaction>, String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    match (line.index, line.events) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err("events without an index".to_owned()),
        (Some(index), events) => {
            let events = events.into_iter().flatten();
            let events = events.map(|sent| event(sent.unwrap_or_default())).collect();
            Ok(Some(Transaction { index, events }))
        }
    }
}

fn event(sent: Sent) -> Event {
    let topic = sent.topic;
    Event { topic, subject: subject(sent) }
}

fn subject(sent: Sent) -> Option<Subject> {
    let payload = sent.payload.unwrap_or_default();
    let id = known(sent.key)?;
    let of_filter = sent.filter_keys.into_iter().flatten().next().flatten();
    let mut has_trouble = false;
    let (of_payload, job_id, parent_id, is_over) = match sent.topic {
        Topic::Job => {
            let job = payload.job?;
            (job.namespace, Some(id.clone()), known(job.parent_id), !job.status?.is_live())
        }
        Topic::Allocation => {
            let place = payload.allocation?;
            has_trouble = place.has_trouble();
            (place.namespace, place.job_id, None, !place.client_status?.is_live())
        }
        Topic::Evaluation => {
            let evaluation = payload.evaluation.unwrap_or_default();
            let is_over = evaluation.status.is_some_and(EvalStatus::is_processed);
            (evaluation.namespace, evaluation.job_id, None, is_over)
        }
        Topic::Other => return None,
    };
    let namespace = known(sent.namespace).or_else(|| known(of_payload))?;
    let job_id = known(job_id).or_else(|| known(of_filter))?;
    Some(Subject { namespace, id, job_id, parent_id, is_over, has_trouble })
}

/// Nomad sends empty strings for missing values.
fn known(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(event: &str) -> Event {
        let line = format!(r#"{{"Index":7,"Events":[{event}]}}"#);
        let mut transaction = decode(line.as_bytes()).unwrap().unwrap();
        assert_eq!((transaction.index, transaction.events.len()), (7, 1));
        transaction.events.remove(0)
    }

    fn subject(namespace: &str, id: &str, job_id: &str, is_over: bool) -> Option<Subject> {
        let [namespace, id, job_id] = [namespace, id, job_id].map(str::to_owned);
        Some(Subject { namespace, id, job_id, parent_id: None, is_over, has_trouble: false })
    }

    #[test]
    fn events_name_the_changed_objects() {
        let job = r#"{"Topic":"Job","Type":"JobRegistered","Key":"a","Namespace":"ci","Payload":{"Job":{"Status":"dead"}}}"#;
        assert_eq!(one(job), Event { topic: Topic::Job, subject: subject("ci", "a", "a", true) });
        let allocation = r#"{"Topic":"Allocation","Key":"1-2","Namespace":"ci","FilterKeys":["a","d"],
            "Payload":{"Allocation":{"JobID":"a","ClientStatus":"running"}}}"#;
        assert_eq!(
            one(allocation),
            Event { topic: Topic::Allocation, subject: subject("ci", "1-2", "a", false) }
        );
        let child = r#"{"Topic":"Job","Key":"a/dispatch-1","Namespace":"ci","Payload":{"Job":{"ParentID":"a","Status":"running"}}}"#;
        assert_eq!(one(child).subject.unwrap().parent_id.as_deref(), Some("a"));
        let evaluation = r#"{"Topic":"Evaluation","Key":"3-4","FilterKeys":["a",""],"Payload":{"Evaluation":{"Namespace":"ci"}}}"#;
        assert_eq!(
            one(evaluation),
            Event { topic: Topic::Evaluation, subject: subject("ci", "3-4", "a", false) }
        );
    }

    #[test]
    fn events_show_failures_and_restarts() {
        for (allocation, expected) in [
            (r#"{"ClientStatus":"failed"}"#, true),
            (r#"{"ClientStatus":"running","TaskStates":{"a":null,"b":{"Restarts":2}}}"#, true),
            (r#"{"ClientStatus":"complete","TaskStates":{"a":{"Restarts":0},"b":{}}}"#, false),
            (r#"{"ClientStatus":"running","TaskStates":null}"#, false),
        ] {
            let event = format!(
                r#"{{"Topic":"Allocation","Key":"1","Namespace":"ci","FilterKeys":["a"],"Payload":{{"Allocation":{allocation}}}}}"#
            );
            assert_eq!(one(&event).subject.unwrap().has_trouble, expected, "{allocation}");
        }
    }

    #[test]
    fn events_show_processed_evaluations() {
        for (status, expected) in [
            (r#""complete""#, true),
            (r#""failed""#, true),
            (r#""canceled""#, true),
            (r#""blocked""#, false),
            (r#""pending""#, false),
            (r#""new""#, false),
            ("null", false),
        ] {
            let event = format!(
                r#"{{"Topic":"Evaluation","Key":"1","Namespace":"ci","Payload":{{"Evaluation":{{"JobID":"a","Status":{status}}}}}}}"#
            );
            assert_eq!(one(&event).subject.unwrap().is_over, expected, "{status}");
        }
    }

    #[test]
    fn an_event_without_the_changed_object_has_no_subject() {
        for (event, topic) in [
            (r#"{"Topic":"Job"}"#, Topic::Job),
            (r#"{"Topic":"Job","Key":"a"}"#, Topic::Job),
            (r#"{"Topic":"Job","Key":"","Namespace":"ci","Payload":{"Job":{"Status":"dead"}}}"#, Topic::Job),
            (r#"{"Topic":"Job","Key":"a","Namespace":"ci","Payload":null}"#, Topic::Job),
            (r#"{"Topic":"Job","Key":"a","Namespace":"ci","Payload":{"Job":{"Status":null}}}"#, Topic::Job),
            (r#"{"Topic":"Allocation","Key":"1","Namespace":"ci","Payload":null}"#, Topic::Allocation),
            (
                r#"{"Topic":"Allocation","Key":"1","Namespace":"ci","FilterKeys":[null],"Payload":{"Allocation":null}}"#,
                Topic::Allocation,
            ),
            (r#"{"Topic":"Evaluation","Key":"1","Namespace":"ci","FilterKeys":[]}"#, Topic::Evaluation),
            (r#"{"Topic":"Node","Key":"1","Payload":{"Node":{"ID":"1"}}}"#, Topic::Other),
            (r#"{"Topic":null}"#, Topic::Other),
            ("{}", Topic::Other),
            ("null", Topic::Other),
        ] {
            assert_eq!(one(event), Event { topic, subject: None }, "{event}");
        }
    }

    #[test]
    fn a_heartbeat_is_not_a_transaction() {
        assert_eq!(decode(b"{}"), Ok(None));
        assert_eq!(decode(b"{\"Index\":null}"), Ok(None));
        let empty = Transaction { index: 9, events: Vec::new() };
        assert_eq!(decode(br#"{"Index":9,"Events":null}"#), Ok(Some(empty)));
    }

    #[test]
    fn an_invalid_line_is_an_error() {
        for line in [
            "{",
            "[]",
            "null",
            "1",
            r#"{"Index":"7"}"#,
            r#"{"Index":-1}"#,
            r#"{"Index":7,"Events":{}}"#,
            r#"{"Events":[]}"#,
            r#"{"Index":7,"Events":[{"Topic":"Job","Key":5}]}"#,
            r#"{"Index":7}{"Index":8}"#,
        ] {
            assert!(decode(line.as_bytes()).is_err(), "{line}");
        }
    }
}
