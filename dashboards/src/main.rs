//! Writes the dashboards as JSON files.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, dashboard) in nomad_dashboards::dashboards() {
        fs::write(folder.join(file), format!("{dashboard:#}\n"))?;
    }
    Ok(())
}
