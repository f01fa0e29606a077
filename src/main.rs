//! The `nomad-exporter` command.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use nomad_exporter::{commands, config};
use tokio::runtime::Runtime;

/// jemalloc, because long-lived small values between the large lists of each refresh would fragment the heap
/// of the C library's allocator, which then grows without end (`make soak`).
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Maximum time that blocking threads delay the exit, because a DNS lookup cannot be interrupted.
const LINGER: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let args = match config::parse(std::env::args_os()) {
        Ok(args) => args,
        // Prints help and version too. Exits with 0 for those, otherwise with 2.
        Err(error) => error.exit(),
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            print_error(&anyhow::Error::new(error).context("cannot start threads"));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(commands::run(args));
    runtime.shutdown_timeout(LINGER);
    result.unwrap_or_else(|error| {
        let code = error.exit_code();
        print_error(&error.into());
        code
    })
}

/// Writes to stderr, because logging may not have been started. If stderr is closed, the exit code remains.
fn print_error(error: &anyhow::Error) {
    drop(writeln!(std::io::stderr(), "nomad-exporter: {error:#}"));
}
