//! What happens between refreshes: jobs that are placed and jobs that finish.
//!
//! A refresh shows states; these compare one with the next. A pass goes along while a list is decoded, and its
//! findings count only when the whole list was read. Jobs are remembered by a hash of eight bytes, only while Nomad
//! lists them, and not more than a cap.

mod completions;
mod placements;
mod seen;

pub use completions::Completions;
pub use placements::Placements;

pub(super) use completions::Pass as CompletionsPass;
pub(super) use placements::{AllocationPass, JobPass, LookedFor, Which};
