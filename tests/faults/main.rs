//! Each fault at each call to ARM of each step in the life of each kind, and faults that hit everybody, against a real API
//! server: the end has to be that of an undisturbed life, and what is told on the way has to be true.
//!
//! `cargo test --test faults -- TEXT` runs the cases whose name contains TEXT.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "this program tells by itself what it ran")]

mod asked;
mod blank;
mod call;
mod everybody;
mod ground;
#[path = "../e2e/harness.rs"]
#[expect(dead_code, reason = "the end-to-end tests need more of it")]
mod harness;
mod history;
mod matrix;
mod report;
mod subject;
mod trouble;

use std::process::ExitCode;
use std::time::Instant;

use futures::future::join_all;

use subject::Subject;

fn main() -> ExitCode {
    let Some(filter) = asked::filter() else { return ExitCode::SUCCESS };
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _cluster = harness::cluster();
    let outcomes = runtime.block_on(async {
        let runs = Subject::ALL.map(|subject| {
            let filter = filter.clone();
            tokio::spawn(async move { matrix::run(subject, &filter).await })
        });
        let (outcomes, of_everybody) = tokio::join!(join_all(runs), everybody::run(&filter));
        outcomes.into_iter().flat_map(Result::unwrap).chain(of_everybody).collect::<Vec<_>>()
    });
    if report::print(&outcomes, begun.elapsed()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
