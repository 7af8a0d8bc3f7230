//! The life of an object, once for all kinds: resolve, observe, plan, act, publish.

pub mod backoff;
pub mod body;
pub mod callback;
pub mod context;
pub mod driver;
pub mod events;
pub mod inventory;
pub mod kind;
pub mod metrics;
pub mod observed;
pub mod ownership;
pub mod pace;
pub mod plan;
pub mod queue;
pub mod secrets;
mod session;
pub mod sight;
pub mod urgency;
pub mod verdict;

pub use context::Context;
pub use kind::{Kind, Provision, SecretValue, Unresolved, Wanted};
pub use metrics::EngineMetrics;
pub use sight::{Sight, Sights, Target};
