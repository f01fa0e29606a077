//! From samples to bytes: Prometheus text 0.0.4 and OpenMetrics 1.0, plain and gzipped, rendered once a refresh.

mod encode;
mod negotiate;
mod openmetrics;
mod rendered;
mod text;

pub use negotiate::{Encoding, Format, encoding, format};
pub use openmetrics::OpenMetrics;
pub use rendered::Rendered;
pub use text::Text;
