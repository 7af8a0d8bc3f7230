//! A stateful emulator of Azure Resource Manager for Azure AI Foundry: hubs, projects, their connections and datastores.
//!
//! It speaks HTTPS with a certificate authority of its own, signs callers in with real checks of client assertions, runs
//! long-running operations by the clock, and answers in the shape of recorded traffic. Beside ARM it has a control API
//! under `/_emulator/` for people and tests, of which [`Emulator`] has every call as a method too.
//!
//! ```no_run
//! # async fn example() -> Result<(), arm_emulator::StartError> {
//! use arm_emulator::{Config, Emulator, Settings, Timings};
//!
//! let settings = Settings { timings: Timings::instant(), ..Settings::default() };
//! let emulator = Emulator::start(Config { settings, ..Config::default() }).await?;
//! println!("{}\n{}", emulator.endpoint(), emulator.ca_pem());
//! emulator.stop().await;
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod answer;
mod arm_path;
mod azure;
mod categories;
mod clock;
mod config;
mod connections;
mod control;
mod controls;
mod datastores;
mod directory;
mod dispatch;
mod emulator;
mod errors;
mod faults;
mod gateway;
mod identities;
mod journal;
mod machine;
mod operations;
mod out_of_band;
mod permissions;
mod schemas;
mod server;
mod settings;
mod sign_in;
mod throttle;
mod tls;
mod workspaces;
mod world;

pub use azure::RegistrationState;
pub use config::{
    Bucket, Config, ConflictScope, ContainerNaming, Credential, DEFAULT_SUBSCRIPTION, DEFAULT_TENANT, Identity, Issuer,
    Limits, Machine, Settings, Timings,
};
pub use emulator::{Emulator, StartError};
pub use faults::{Fault, FaultRule, FaultState, Moment, OperationFault};
pub use journal::JournalEntry;
pub use operations::Outcome;
pub use out_of_band::ChangeError;
pub use permissions::{Permissions, action_of};
pub use schemas::SchemaViolation;
pub use world::PlannedFailure;
