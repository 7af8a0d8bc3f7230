//! Letting a resource go: it stays in Azure, without our mark where that can be taken off. Nothing here holds the object up.

use std::time::Duration;

use kube::ResourceExt as _;
use serde_json::Value;

use super::{Session, api_version};
use crate::api::conditions::Reason;
use crate::api::policies::ManagementPolicy;
use crate::arm::resource_type::{self, UpdateBy, label};
use crate::arm::{ArmId, Body};
use crate::engine::context::Error;
use crate::engine::kind::Kind;
use crate::engine::ownership::{self, OWNER_KEY, Ownership};
use crate::engine::{body, inventory, secrets};

/// How long the mark may take to come off.
const PATIENCE: Duration = Duration::from_secs(10);

impl<K: Kind> Session<'_, K> {
    /// Drops a resource from the inventory because its owner lets it go, unless the object is not as it seemed.
    pub(super) async fn let_go(&mut self, id: &ArmId) -> Result<(), Error> {
        let mut note = format!("{} stays in Azure, as the object's policies say", label(id));
        let unmarked = if self.object.policies().management == ManagementPolicy::Manage {
            if !self.is_current().await? {
                return Ok(());
            }
            let late = format!("it could not be done within {PATIENCE:?}");
            let unmarked = tokio::time::timeout(PATIENCE, self.unmark(id)).await.unwrap_or(Err(late));
            self.context.gate.leave(&self.holder());
            unmarked
        } else {
            Err("managementPolicy is not Manage".to_owned())
        };
        if let Err(why) = unmarked {
            note = format!(
                "{note}; its owner mark {OWNER_KEY}, if it has one, was not taken off ({why}): take it off by hand before another object adopts it"
            );
        }
        let engine = K::engine(&mut self.status);
        inventory::forget(&mut engine.resources, id);
        engine.operation = None;
        self.tell(Reason::Orphaned, &note);
        Ok(())
    }

    /// Takes the mark off what is ours and has one.
    async fn unmark(&mut self, id: &ArmId) -> Result<(), String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let Some(type_) = resource_type::of(id) else { return Ok(()) };
        let observed = self.arm().get(id, api_version(id)).await.map_err(|error| told(&error))?;
        let mark = self.object.mark(&self.context.world);
        let owned = inventory::entry(&K::engine(&mut self.status).resources, id);
        let ours = |there: &Value| {
            let judged = ownership::judge(there, type_, &mark, owned) == Ownership::Ours;
            judged && owned.is_some_and(|owned| ownership::is_the_one(owned, there))
        };
        let Some(observed) = observed.filter(ours) else { return Ok(()) };
        let Some(mut unmarked) = body::unmarked(&observed, type_) else { return Ok(()) };
        if type_.update == UpdateBy::Put {
            self.fill_in_what_azure_hides(id, &mut unmarked).await?;
        }
        let busy = || "another write is under way".to_owned();
        self.context.gate.enter(&self.turn(id), PATIENCE, self.call()).await.map_err(|_| busy())?;
        let sent = Body::new(&unmarked);
        let written = match type_.update {
            UpdateBy::Patch => self.arm().patch(id, type_.api_version, sent).await,
            UpdateBy::Put => self.arm().put(id, type_.api_version, sent).await,
        };
        // A refusal may repeat the secrets that were sent: the code alone is told.
        written.map(|_| ()).map_err(|error| format!("Azure refused: {}", error.code))
    }

    /// What is written whole needs its credentials, which Azure does not give back.
    async fn fill_in_what_azure_hides(&self, id: &ArmId, sent: &mut Value) -> Result<(), String> {
        let resolved = self.object.resolve(&self.context.world).map_err(|unresolved| unresolved.message)?;
        let wanted = resolved.iter().find(|wanted| wanted.id == *id).ok_or("the spec no longer asks for it")?;
        if wanted.body["properties"]["authType"] != sent["properties"]["authType"] {
            return Err("somebody changed its authType, and its credentials are not known".to_owned());
        }
        body::overlay(sent, &wanted.write_only);
        let namespace = self.object.namespace().unwrap_or_default();
        let role = self.context.secret_role.as_deref();
        let filled = secrets::fill(&self.context.client, &namespace, role, &wanted.secrets, sent).await;
        filled.map(|_| ()).map_err(|error| error.to_string())
    }
}
