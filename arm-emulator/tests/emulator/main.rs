//! The emulator over the wire, as a client meets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod beside;
mod connections;
mod control;
mod errors;
mod faults;
mod lists;
mod machine;
mod operations;
mod permissions;
mod recordings;
mod rules;
mod scaled_time;
mod schemas;
mod session;
mod sign_in;
mod workspaces;
