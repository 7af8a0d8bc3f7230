//! Rules of a hub's encryption, and of how its datastores sign in.

use serde_json::{Value, json};

use super::{Desk, Kind, arm_id, at, quoted, with};

const HUB: Kind = Kind::Hub;
const VERSION: &str = "0123456789abcdef0123456789abcdef";

fn encryption() -> Value {
    json!({
        "keyVault": {"resourceId": arm_id("Microsoft.KeyVault/vaults/kv-keys")},
        "keyIdentifier": format!("https://kv-keys.vault.azure.net/keys/foundry/{VERSION}"),
    })
}

fn identity() -> String {
    arm_id("Microsoft.ManagedIdentity/userAssignedIdentities/keys")
}

fn with_identity() -> Value {
    HUB.but(json!({
        "identity": {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": [identity()]},
        "encryption": with(encryption(), json!({"userAssignedIdentity": identity()})),
    }))
}

#[tokio::test]
async fn keys_of_ones_own_pass() {
    let desk = Desk::new().await;
    desk.accepts(HUB, HUB.but(at("encryption", encryption()))).await;
    desk.accepts(HUB, with_identity()).await;
    for key in ["https://KV-keys.vault.azure.cn/keys/foundry", "https://kv-keys.managedhsm.azure.net/keys/k-1"] {
        let spec = HUB.but(at("encryption", with(encryption(), json!({"keyIdentifier": key}))));
        desk.accepts(HUB, spec).await;
    }
    let shouted = with(with_identity(), at("encryption.userAssignedIdentity", identity().to_uppercase()));
    desk.accepts(HUB, shouted).await;
}

#[tokio::test]
async fn what_is_no_key_of_the_vault_is_refused() {
    let desk = Desk::new().await;
    let says = "keyIdentifier must be a key's own address: https://<vault>.vault.azure.net/keys/<name>/<version>";
    for key in ["foundry", "https://kv-keys.vault.azure.net/secrets/foundry", "http://kv-keys.vault.azure.net/keys/f"] {
        let spec = HUB.but(at("encryption", with(encryption(), json!({"keyIdentifier": key}))));
        let Err(status) = desk.post(HUB, "churn", spec, true).await else { panic!("{key} is accepted") };
        assert!(status.message.contains(says), "{}", status.message);
    }
    let other = "https://kv-others.vault.azure.net/keys/foundry";
    let spec = HUB.but(at("encryption", with(encryption(), json!({"keyIdentifier": other}))));
    let says = "keyIdentifier must be of a key in keyVault: https://<name of the vault>.<domain>/keys/<name>/<version>";
    desk.refuses(HUB, spec, "spec.encryption", says).await;
    for field in ["keyVault", "keyIdentifier"] {
        let spec = HUB.but(at("encryption", with(encryption(), json!({field: null}))));
        desk.refuses(HUB, spec, &format!("spec.encryption.{field}"), "Required value").await;
    }
}

#[tokio::test]
async fn an_identity_that_the_hub_does_not_have_cannot_read_its_key() {
    let desk = Desk::new().await;
    let says = "encryption.userAssignedIdentity must be one of identity.userAssignedIdentities: list it there";
    let another = arm_id("Microsoft.ManagedIdentity/userAssignedIdentities/another");
    let changes = [at("identity", json!(null)), json!({"identity": {"userAssignedIdentities": [another]}})];
    for change in changes {
        desk.refuses(HUB, with(with_identity(), change), "spec", says).await;
    }
    let storage = at("encryption.userAssignedIdentity", arm_id("Microsoft.Storage/storageAccounts/st"));
    let Err(status) = desk.post(HUB, "churn", with(with_identity(), storage), true).await else { panic!("accepted") };
    assert!(status.message.contains("must be the ARM id of a user-assigned identity"), "{}", status.message);
}

#[tokio::test]
async fn of_the_encryption_of_a_hub_that_exists_only_the_key_changes() {
    let desk = Desk::new().await;
    let says = "encryption is fixed once the hub exists in Azure, all but keyIdentifier: keep keyVault and userAssignedIdentity as they were, or make another hub";
    desk.create(HUB, "plain", HUB.least()).await;
    desk.create(HUB, "encrypted", with_identity()).await;
    let other_vault = json!({"encryption": {
        "keyVault": {"resourceId": arm_id("Microsoft.KeyVault/vaults/kv-others")},
        "keyIdentifier": "https://kv-others.vault.azure.net/keys/foundry",
    }});
    desk.accepts_change(HUB, "plain", at("encryption", encryption())).await;
    desk.accepts_change(HUB, "encrypted", other_vault.clone()).await;
    desk.made_in_azure(HUB, "plain").await;
    desk.made_in_azure(HUB, "encrypted").await;
    desk.refuses_change(HUB, "plain", at("encryption", encryption()), &[("<nil>", says)]).await;
    for change in [other_vault, json!({"encryption": null}), json!({"encryption": {"userAssignedIdentity": null}})] {
        desk.refuses_change(HUB, "encrypted", change, &[("<nil>", says)]).await;
    }
    let rotated = format!("https://kv-keys.vault.azure.net/keys/foundry/{}", "f".repeat(32));
    desk.accepts_change(HUB, "encrypted", at("encryption.keyIdentifier", rotated)).await;
}

#[tokio::test]
async fn an_unknown_way_for_datastores_to_sign_in_is_refused_with_those_that_there_are() {
    let desk = Desk::new().await;
    let modes = ["AccessKey", "Identity", "UserDelegationSAS"];
    for mode in modes {
        desk.accepts(HUB, HUB.but(at("systemDatastoresAuthMode", mode))).await;
    }
    let spec = HUB.but(at("systemDatastoresAuthMode", "identity"));
    let says = format!("supported values: {}", quoted(&modes));
    desk.refuses(HUB, spec, "spec.systemDatastoresAuthMode", &says).await;
}
