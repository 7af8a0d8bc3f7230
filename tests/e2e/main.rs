//! What a user can see, against a real API server and the emulator, with the operator's own program under its own
//! ServiceAccount and RBAC. Each test has an operator, an Azure and namespaces of its own; the control plane is shared.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod azure_roles;
mod calls;
mod chart;
mod consent;
mod deletions;
mod drift;
mod events;
mod harness;
mod health;
mod hostile;
mod lifecycle;
mod logs;
mod metrics;
mod misconfigured;
mod network;
mod ownership;
mod policies;
mod providers;
mod refusals;
mod replicas;
mod restarts;
mod rivals;
mod samples;
mod secrets;
mod sign_in;
mod throttling;
mod traces;
mod validation;
mod workspaces;
