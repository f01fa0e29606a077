//! The `nomad-exporter` command.

use std::process::ExitCode;

use nomad_exporter::{commands, config};

#[tokio::main]
async fn main() -> ExitCode {
    let args = match config::parse(std::env::args_os()) {
        Ok(args) => args,
        // Prints help and version too, and exits with 0 for those, else with 2.
        Err(error) => error.exit(),
    };
    match commands::run(args).await {
        Ok(code) => code,
        Err(error) => {
            let code = error.exit_code();
            complain(error);
            code
        }
    }
}

#[expect(clippy::print_stderr, reason = "there may be no log yet")]
fn complain(error: commands::Error) {
    eprintln!("nomad-exporter: {:#}", anyhow::Error::from(error));
}
