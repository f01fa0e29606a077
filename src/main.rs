//! The `nomad-exporter` command.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use nomad_exporter::{commands, config};
use tokio::runtime::Runtime;

/// Lists of many MiB come and go beside small values that stay: the C library's allocator would keep ever more of what
/// they leave, this one gives it back (`make soak`).
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long work on other threads may hold up the end: a name that is being looked up cannot be interrupted.
const LINGER: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let args = match config::parse(std::env::args_os()) {
        Ok(args) => args,
        // Prints help and version too, and exits with 0 for those, else with 2.
        Err(error) => error.exit(),
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&anyhow::Error::new(error).context("cannot start threads"));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(commands::run(args));
    runtime.shutdown_timeout(LINGER);
    result.unwrap_or_else(|error| {
        let code = error.exit_code();
        complain(&error.into());
        code
    })
}

/// There may be no log yet; and whoever does not hear this sees the exit code.
fn complain(error: &anyhow::Error) {
    drop(writeln!(std::io::stderr(), "nomad-exporter: {error:#}"));
}
