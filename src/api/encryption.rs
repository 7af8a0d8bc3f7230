//! Encryption of a hub's data with a key of one's own (ARM reference, section 3).

use kube::KubeSchema;
use kube::core::cel::Rule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::references::AzureReference;
use super::rules;

/// A key of one's own that encrypts the hub's data. Only its identifier can change once the hub exists: that is how a key
/// is rotated.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "self.keyIdentifier.lowerAscii().startsWith('https://' + self.keyVault.resourceId.lowerAscii().split('/', 10)[8] + '.')",
).message("keyIdentifier must be of a key in keyVault: https://<name of the vault>.<domain>/keys/<name>/<version>"))]
pub struct Encryption {
    /// The vault that has the key. Fixed once the hub exists.
    #[x_kube(validation = rules::arm_reference("Microsoft.KeyVault/vaults", "a key vault"))]
    pub key_vault: AzureReference,
    /// The key, as the vault names it: `https://<vault>.vault.azure.net/keys/<name>/<version>`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = key_identifier())]
    pub key_identifier: String,
    /// The user-assigned identity that reads the key, one of `identity.userAssignedIdentities`; without it the hub's own
    /// does. Fixed once the hub exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = rules::arm_id("Microsoft.ManagedIdentity/userAssignedIdentities", "a user-assigned identity"))]
    pub user_assigned_identity: Option<String>,
}

/// How the datastores that Azure makes in a workspace sign in to its storage account.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum SystemDatastoresAuthMode {
    /// With the account's key.
    AccessKey,
    /// With the identity of who reads.
    Identity,
    /// With a signature that a user's identity gives.
    UserDelegationSAS,
}

fn key_identifier() -> Rule {
    Rule::new("self.matches('^https://[a-zA-Z0-9-]{1,127}([.][a-zA-Z0-9-]{1,63})+/keys/[a-zA-Z0-9-]{1,127}(/[0-9a-fA-F]{32})?$')")
        .message("keyIdentifier must be a key's own address: https://<vault>.vault.azure.net/keys/<name>/<version>")
}

/// What reads the key has to be an identity of the hub's.
pub(super) fn identity_is_of_hub() -> Rule {
    Rule::new(
        "!has(self.encryption) || !has(self.encryption.userAssignedIdentity) || (has(self.identity) && has(self.identity.userAssignedIdentities) && self.identity.userAssignedIdentities.exists(id, id.lowerAscii() == self.encryption.userAssignedIdentity.lowerAscii()))",
    )
    .message("encryption.userAssignedIdentity must be one of identity.userAssignedIdentities: list it there")
}

/// Root rule. FACT: all of the encryption but the key identifier is fixed (ARM reference, section 3).
pub(super) fn fixed_once_created() -> Rule {
    let same = |field: &str| {
        let (new, old) = ("self.spec.encryption", "oldSelf.spec.encryption");
        format!("has({new}.{field}) == has({old}.{field}) && (!has({new}.{field}) || {new}.{field} == {old}.{field})")
    };
    Rule::new(format!(
        "!has(oldSelf.status) || !has(oldSelf.status.workspaceId) || (has(self.spec.encryption) == has(oldSelf.spec.encryption) && (!has(self.spec.encryption) || ({} && {})))",
        same("keyVault"),
        same("userAssignedIdentity")
    ))
    .message("encryption is fixed once the hub exists in Azure, all but keyIdentifier: keep keyVault and userAssignedIdentity as they were, or make another hub")
}
