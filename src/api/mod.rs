//! The custom resources, and nothing else: what users write, what they read back, and the rules that the API server
//! enforces for us.

pub mod conditions;
pub mod connection;
pub mod credentials;
pub mod encryption;
pub mod hub;
pub mod manifest;
pub mod network;
pub mod policies;
pub mod project;
pub mod references;
mod rules;
pub mod status;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

pub use connection::{FoundryConnection, FoundryConnectionSpec, FoundryConnectionStatus};
pub use hub::{FoundryHub, FoundryHubSpec, FoundryHubStatus};
pub use project::{FoundryProject, FoundryProjectSpec, FoundryProjectStatus};

/// API group of the three kinds.
pub const GROUP: &str = "foundryoperator.dev";

/// The finalizer that keeps an object until its Azure resources are gone or let go.
pub const FINALIZER: &str = "foundryoperator.dev/azure-resources";

/// Annotation whose change, to whatever value, asks for a reconcile now, also of an object that is stalled.
pub const RECONCILE_AT: &str = "foundryoperator.dev/reconcile-at";

/// Every CRD of the operator, in the order in which they are documented.
///
/// # Errors
/// None in practice: only if a CRD were not representable as JSON.
pub fn crds() -> serde_json::Result<Vec<CustomResourceDefinition>> {
    [FoundryHub::crd(), FoundryProject::crd(), FoundryConnection::crd()]
        .into_iter()
        .map(|crd| {
            let mut json = serde_json::to_value(crd)?;
            forbid_null(&mut json);
            serde_json::from_value(json)
        })
        .collect()
}

/// An optional field is left out, not null: the API server drops a null that the schema does not allow, before `has()` in a
/// CEL rule would be true of it.
fn forbid_null(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(map) => {
            map.remove("nullable");
            map.values_mut().for_each(forbid_null);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(forbid_null),
        _ => {}
    }
}
