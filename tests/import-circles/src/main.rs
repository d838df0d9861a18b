//! `import-circles [PACKAGE…]`: looks through the packages of the workspace in the current directory,
//! or through those that are named, prints each circle of imports, and fails if there is one.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what was found is told on standard output, what failed on standard error"
)]

use std::process::ExitCode;

use import_circles::{Error, circles, packages};

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    match search(&names) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(found) => {
            eprintln!("import-circles: {found} circles of imports");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("import-circles: {error}");
            ExitCode::FAILURE
        }
    }
}

fn search(names: &[String]) -> Result<usize, Error> {
    let mut found = 0;
    for package in packages(names)? {
        for target in &package.targets {
            for circle in circles(&target.src_path)? {
                found += 1;
                println!("{} ({}): {circle}", package.name, target.name);
            }
        }
    }
    Ok(found)
}
