//! What the operator may do with what it finds in Azure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether an Azure resource that already exists, and that no object owns, is taken over.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum AdoptionPolicy {
    /// Leave it alone and say what was found.
    #[default]
    Fail,
    /// Take it over, keeping what the spec does not mention.
    Adopt,
}

/// What becomes of the Azure resource when the object is deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// It is deleted with the object.
    #[default]
    Delete,
    /// It stays in Azure; the object goes at once.
    Orphan,
}

/// How much the operator does for an object.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum ManagementPolicy {
    /// Create, correct, delete.
    #[default]
    Manage,
    /// Read Azure and publish status; write nothing to Azure.
    Observe,
    /// Do nothing at all.
    Pause,
}

/// The three policies of an object together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// See [`AdoptionPolicy`].
    pub adoption: AdoptionPolicy,
    /// See [`DeletionPolicy`].
    pub deletion: DeletionPolicy,
    /// See [`ManagementPolicy`].
    pub management: ManagementPolicy,
}
