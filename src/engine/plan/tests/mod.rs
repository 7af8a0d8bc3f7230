//! What the plan decides, one decision a test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod azure;
mod changing;
mod deleting;
mod following;
mod making;
mod owning;
mod parts;
mod policies;
mod scene;
mod simulation;
