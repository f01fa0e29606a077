//! Properties that hold for any headers, request heads, flags and names.

mod flags;
mod heads;
mod names;
mod targets;
