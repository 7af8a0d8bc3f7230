//! The operator is killed before and after each of its calls, to ARM and to the API server, in the lives of each kind, and
//! started again; and it is shown old events of its watches, old lists and old reads. The end has to be that of an
//! undisturbed life, and nothing may be written twice.
//!
//! `cargo test --test crashes -- TEXT` runs the cases whose name contains TEXT, and `CRASHES=all` also those
//! that leave the world as another one does: after a read.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "this program tells by itself what it ran")]

#[path = "../faults/asked.rs"]
mod asked;
#[path = "../faults/blank.rs"]
mod blank;
mod border;
mod cases;
mod compare;
mod door;
mod ground;
#[path = "../e2e/harness.rs"]
#[expect(dead_code, reason = "the end-to-end tests need more of it")]
mod harness;
mod life;
mod memory;
mod report;

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let Some(filter) = asked::filter() else { return ExitCode::SUCCESS };
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _cluster = harness::cluster();
    let outcomes = runtime.block_on(cases::run(&filter));
    if report::print(&outcomes, begun.elapsed()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
