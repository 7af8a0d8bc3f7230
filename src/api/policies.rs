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

/// The three policies of an object.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Policies {
    /// What to do where the resource exists in Azure already, and no object owns it.
    #[serde(default, rename = "adoptionPolicy")]
    pub adoption: AdoptionPolicy,
    /// What becomes of the resource in Azure when this object is deleted.
    #[serde(default, rename = "deletionPolicy")]
    pub deletion: DeletionPolicy,
    /// How much the operator does.
    #[serde(default, rename = "managementPolicy")]
    pub management: ManagementPolicy,
}
