//! Azure AI Foundry hubs, projects and connections as Kubernetes objects. `ARCHITECTURE.md` is the map.

pub mod api;
pub mod arm;
pub mod engine;
pub mod kinds;
pub mod runtime;
