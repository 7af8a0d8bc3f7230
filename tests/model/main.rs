//! A model check of the plan: every order in which a few disturbances can fall between the steps of reconciles, with the
//! operator's own `plan`, a small Azure and a small API server. In every state that can be reached nothing may happen that
//! must never happen, and from every one of them it has to end well once nothing disturbs it any more.
//!
//! `cargo test --test model -- TEXT` runs the lives whose name contains TEXT.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "this program tells by itself what it ran")]

mod azure;
mod life;
mod planner;
mod search;
mod session;
mod world;

use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use foundry_operator::api::policies::{AdoptionPolicy, DeletionPolicy, Policies};

use life::Life;
use world::Disturbances;

/// A kind of life: what the object asks for, who may write, and how much may happen.
struct Case {
    name: &'static str,
    adoption: AdoptionPolicy,
    deletion: DeletionPolicy,
    /// Two replicas write, as if there were no lease: then something may be left over, but nothing of others is touched.
    both_at_once: bool,
    disturbances: Disturbances,
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let begun = Instant::now();
    let waiting: Mutex<Vec<Case>> = Mutex::new(cases().into_iter().filter(|it| it.name.contains(&filter)).collect());
    let (states, failed) = (Mutex::new(0), Mutex::new(0));
    let work = || {
        while let Some(case) = { waiting.lock().unwrap().pop() } {
            let policies = Policies { adoption: case.adoption, deletion: case.deletion, ..Policies::default() };
            let begun = Instant::now();
            match search::search(&mut Life::new(policies, case.both_at_once, case.disturbances)) {
                Ok(count) => {
                    *states.lock().unwrap() += count;
                    println!("{count:9} states in {:3} s  {}", begun.elapsed().as_secs(), case.name);
                }
                Err(why) => {
                    *failed.lock().unwrap() += 1;
                    println!("FAILED  {}: {why}", case.name);
                }
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let (states, failed) = (states.into_inner().unwrap(), failed.into_inner().unwrap());
    println!("model check: {states} states explored in {} s, {failed} lives failed", begun.elapsed().as_secs());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn cases() -> Vec<Case> {
    let case = |name, disturbances| Case {
        name,
        adoption: AdoptionPolicy::Fail,
        deletion: DeletionPolicy::Delete,
        both_at_once: false,
        disturbances,
    };
    let none = Disturbances { changes: 1, deletions: 1, ..Disturbances::default() };
    vec![
        case("crashes and a stale cache", Disturbances { crashes: 2, stale: 1, ..none }),
        case("failures and a crash", Disturbances { failures: 2, crashes: 1, ..none }),
        case("meddling and a crash", Disturbances { outside: 2, crashes: 1, deletions: 1, ..Disturbances::default() }),
        Case {
            adoption: AdoptionPolicy::Adopt,
            ..case("meddling with what is adopted", Disturbances { outside: 1, stale: 1, crashes: 1, ..none })
        },
        Case {
            deletion: DeletionPolicy::Orphan,
            ..case("an orphan", Disturbances { outside: 1, failures: 1, crashes: 1, ..none })
        },
        Case { both_at_once: true, ..case("two at once", Disturbances { deletions: 1, ..Disturbances::default() }) },
    ]
}
