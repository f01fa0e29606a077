//! Task logs, and following them.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use crate::answer::{Answer, Refusal};
use crate::cluster::{Allocation, AllocationId, Cluster, LogStream, NodeStatus};

use super::access::Capability;
use super::{Call, Reply};

/// Maximum file content per frame, as in Nomad.
const FRAME_BYTES: usize = 64 << 10;

/// A log that is being streamed.
#[derive(Clone, Debug)]
pub(crate) struct Follow {
    allocation: AllocationId,
    task: String,
    stream: LogStream,
    /// Number of bytes sent so far.
    offset: usize,
    /// Send raw bytes without frames.
    pub(crate) plain: bool,
}

/// Next part of a log.
pub(crate) enum More {
    /// New data, possibly empty.
    Data(Bytes),
    /// The last data; the stream ends here.
    End(Bytes),
}

impl Call<'_> {
    pub(super) fn log(&self, id: &str) -> Reply {
        let refuse = |status, message: String| Err(Refusal::new(status, message));
        let query = &self.request.query;
        let Some(task) = query.get("task") else {
            return refuse(StatusCode::BAD_REQUEST, "must provide task name".to_owned());
        };
        let stream = match query.get("type") {
            Some("stdout") => LogStream::Stdout,
            Some("stderr") => LogStream::Stderr,
            _ => {
                return refuse(StatusCode::BAD_REQUEST, "log type must be stdout or stderr".to_owned());
            }
        };
        let Ok(offset) = query.get("offset").unwrap_or("0").parse::<usize>() else {
            return refuse(StatusCode::BAD_REQUEST, "error parsing offset".to_owned());
        };
        let from_end = match query.get("origin").unwrap_or("start") {
            "start" => false,
            "end" => true,
            _ => return refuse(StatusCode::BAD_REQUEST, "origin must be start or end".to_owned()),
        };
        let allocation = self.readable(id)?;
        let node = self.cluster.nodes.get(&allocation.node);
        let unknown = || Refusal::new(StatusCode::NOT_FOUND, format!("Unknown node {}", allocation.node));
        self.check_path(node.ok_or_else(unknown)?)?;
        let Some(run) = allocation.tasks.iter().find(|known| known.name == task) else {
            return refuse(StatusCode::BAD_REQUEST, format!("unknown task name {task:?}"));
        };
        if run.started.is_none() {
            let message = format!("task {task:?} not started yet. No logs available");
            return refuse(StatusCode::NOT_FOUND, message);
        }
        let length = self.cluster.log(allocation, task, stream).len();
        let offset = if from_end { length.saturating_sub(offset) } else { offset.min(length) };
        let plain = query.is_true("plain");
        let mut follow = Follow { allocation: allocation.id, task: task.to_owned(), stream, offset, plain };
        let content_type = if plain { None } else { Some("application/json") };
        if query.is_true("follow") {
            return Ok(Answer::new(StatusCode::OK, content_type, Bytes::new()).following(follow));
        }
        let (More::Data(bytes) | More::End(bytes)) = follow.next(self.cluster);
        Ok(Answer::new(StatusCode::OK, content_type, bytes))
    }

    /// The allocation, if the token may read its logs.
    fn readable(&self, id: &str) -> Result<&Allocation, Refusal> {
        self.access.require_known(self.version())?;
        let found = id.parse().ok().and_then(|id: AllocationId| self.cluster.allocations.get(&id));
        let unknown = || Refusal::new(StatusCode::NOT_FOUND, format!("Unknown allocation {id:?}"));
        let allocation = found.ok_or_else(unknown)?;
        match self.access.sees(Capability::ReadLogs, &allocation.job.namespace) {
            true => Ok(allocation),
            false => Err(Refusal::forbidden()),
        }
    }
}

impl Follow {
    /// The data written since the last call. Like Nomad, reports an error in the body.
    pub(crate) fn next(&mut self, cluster: &Cluster) -> More {
        let Some(allocation) = cluster.allocations.get(&self.allocation) else {
            return More::End(Bytes::from_static(b"unknown allocation"));
        };
        let reachable =
            cluster.nodes.get(&allocation.node).is_some_and(|node| node.status == NodeStatus::Ready);
        if !reachable {
            return More::End(Bytes::from_static(b"No path to node"));
        }
        let log = cluster.log(allocation, &self.task, self.stream);
        let new = log.get(self.offset..).unwrap_or_default();
        self.offset = self.offset.max(log.len());
        if self.plain {
            return More::Data(Bytes::copy_from_slice(new));
        }
        let mut at = self.offset - new.len();
        let frames = new.chunks(FRAME_BYTES).map(|chunk| {
            at += chunk.len();
            let file = format!("alloc/logs/{}.{}.0", self.task, self.stream.as_str());
            json!({"Offset": at, "Data": BASE64_STANDARD.encode(chunk), "File": file}).to_string()
        });
        More::Data(frames.collect::<String>().into())
    }
}
