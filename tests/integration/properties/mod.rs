//! What holds for every input: headers, request heads, flags and names, however odd.

mod flags;
mod heads;
mod names;
mod targets;
