//! x
use crate::answer::Answer;
use crate::cluster::Cluster;
use crate::request::Request;
pub(crate) fn answer(_cluster: &Cluster, _request: &Request) -> Answer { Answer::no_such_path() }
