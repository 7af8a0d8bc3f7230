//! Azure Resource Manager as the operator speaks it: ids, calls, long-running operations, errors. No Kubernetes here.

pub mod client;
pub mod correlation;
pub mod credential;
pub mod error;
pub mod fence;
pub mod gate;
pub mod id;
pub mod metrics;
pub mod providers;
pub mod resource_type;
pub mod retry;
pub mod throttle;
pub mod tokens;
pub mod transport;

pub use client::{Body, Client, Progress, TRACED, Written};
pub use correlation::CorrelationId;
pub use error::{ArmError, Cause, Class};
pub use fence::Fence;
pub use gate::{Turn, WriteGate};
pub use id::ArmId;
pub use metrics::ArmMetrics;
pub use providers::Providers;
pub use resource_type::ResourceType;
pub use throttle::{Caller, Priority};
pub use tokens::Tokens;
pub use transport::Transport;
