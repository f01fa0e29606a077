//! CPU that serde_json needs for the bytes of a live refresh.

use std::fmt;
use std::io::{BufReader, Read};
use std::marker::PhantomData;
use std::sync::mpsc::{Receiver, sync_channel};

use bytes::{Buf, Bytes};
use cpu_time::ThreadTime;
use nomad_exporter::nomad::api::{Allocation, Evaluation, Job, Node};
use nomad_simulator::Load;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor};

const JOBS: &str = r#"/v1/jobs?namespace=*&filter=Status != "dead""#;
const NODES: &str = "/v1/nodes?resources=true";
const ALLOCATIONS: &str = r#"/v1/allocations?namespace=*&task_states=false&resources=true&filter=ClientStatus != "complete" and ClientStatus != "failed" and ClientStatus != "lost""#;
const EVALUATIONS: &str = "/v1/evaluations?namespace=*&status=blocked";

/// Minimum CPU seconds to measure for each list.
const ENOUGH: f64 = 0.2;

/// The lists of a live refresh.
pub(crate) struct Lists(Load);

impl Lists {
    pub(crate) fn new(load: Load) -> Self {
        Self(load)
    }

    /// Returns the CPU seconds for skimming them.
    pub(crate) fn skim(&self) -> f64 {
        [JOBS, NODES, ALLOCATIONS, EVALUATIONS].into_iter().map(|list| self.read(list, skim)).sum()
    }

    /// Returns the CPU seconds for decoding them into the exporter's rows.
    pub(crate) fn decode(&self) -> f64 {
        self.read(JOBS, decode::<Job>)
            + self.read(NODES, decode::<Node>)
            + self.read(ALLOCATIONS, decode::<Allocation>)
            + self.read(EVALUATIONS, decode::<Evaluation>)
    }

    /// Returns the CPU seconds of a reader's thread, while another thread writes the data. It is the mean of many
    /// reads, because the system counts in ticks.
    fn read(&self, list: &str, reader: fn(Chunks)) -> f64 {
        let mut seconds = Vec::new();
        while seconds.iter().sum::<f64>() < ENOUGH {
            seconds.push(self.read_once(list, reader));
        }
        seconds.iter().sum::<f64>() / seconds.len() as f64
    }

    fn read_once(&self, list: &str, reader: fn(Chunks)) -> f64 {
        let (sender, receiver) = sync_channel(32);
        let chunks = self.0.list(list);
        let writing = std::thread::spawn(move || {
            for chunk in chunks {
                sender.send(chunk).expect("the reader reads to the end");
            }
        });
        let reading = std::thread::spawn(move || {
            // /proc has the value of the last tick or switch, which misses short reads.
            let before = ThreadTime::now();
            reader(Chunks { receiver, chunk: Bytes::new() });
            before.elapsed().as_secs_f64()
        });
        writing.join().expect("writing does not fail");
        reading.join().expect("reading does not fail")
    }
}

fn skim(chunks: Chunks) {
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(64 << 10, chunks));
    IgnoredAny::deserialize(&mut json).expect("the lists are JSON");
}

fn decode<T: DeserializeOwned>(chunks: Chunks) {
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(64 << 10, chunks));
    let rows = json.deserialize_seq(Rows::<T>(PhantomData)).expect("the rows decode");
    assert!(rows > 0, "a list is empty: nothing was measured");
}

/// Decodes a list with plain serde_json: one row at a time, from a reader.
struct Rows<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for Rows<T> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u64, A::Error> {
        let mut count = 0;
        while let Some(row) = list.next_element::<T>()? {
            drop(std::hint::black_box(row));
            count += 1;
        }
        Ok(count)
    }
}

/// Chunks as a reader.
struct Chunks {
    receiver: Receiver<Bytes>,
    chunk: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.chunk.is_empty() {
            let Ok(chunk) = self.receiver.recv() else { return Ok(0) };
            self.chunk = chunk;
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
