//! The program `bluetick`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bluetick::cli::main()
}
