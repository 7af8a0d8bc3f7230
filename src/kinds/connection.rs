//! A connection owns one connection of a workspace.

use kube::{Resource as _, ResourceExt as _};
use serde_json::{Map, Value, json};

use super::world::World;
use super::{hub, project, workspace};
use crate::api::conditions::Reason;
use crate::api::credentials::Credentials;
use crate::api::policies::Policies;
use crate::api::references::SecretField;
use crate::api::status::EngineStatus;
use crate::api::{FoundryConnection, FoundryConnectionStatus};
use crate::arm::ArmId;
use crate::arm::resource_type::CONNECTION;
use crate::engine::ownership::OWNER_KEY;
use crate::engine::{Kind, SecretValue, Sights, Unresolved, Wanted};

impl Kind for FoundryConnection {
    type Status = FoundryConnectionStatus;
    type World = World;

    fn policies(&self) -> Policies {
        self.spec.policies
    }

    fn status(&self) -> Option<&FoundryConnectionStatus> {
        self.status.as_ref()
    }

    fn engine(status: &mut FoundryConnectionStatus) -> &mut EngineStatus {
        &mut status.engine
    }

    fn mark(&self, world: &World) -> String {
        world.mark(self)
    }

    fn share(&self, world: &World) -> String {
        let namespace = self.namespace().unwrap_or_default();
        let project = self.spec.project_ref.as_ref();
        match project.and_then(|project| world.projects.get(&namespace, &project.name)) {
            Some(project) => project.share(world),
            None => hub::share(&namespace, self.spec.hub_ref.as_ref().map_or("", |hub| &hub.name)),
        }
    }

    fn resolve(&self, world: &World) -> Result<Vec<Wanted>, Unresolved> {
        let workspace = parent(self, world)?;
        let name = self.spec.azure_name.clone().unwrap_or_else(|| self.name_any());
        let (write_only, secrets) = match &self.spec.credentials {
            Some(credentials) => (
                plain_credentials(credentials),
                secret_credentials(&self.namespace().unwrap_or_default(), credentials, world)?,
            ),
            None => (Value::Null, Vec::new()),
        };
        let id = workspace.child("connections", &name).map_err(|error| workspace::invalid(&error))?;
        Ok(vec![Wanted { write_only, secrets, ..Wanted::new(id, &CONNECTION, body(self, &world.mark(self))) }])
    }

    fn publish(&self, _world: &World, primary: &Wanted, sights: &Sights, status: &mut FoundryConnectionStatus) {
        if let Some(connection) = sights.resource(&primary.id) {
            status.category = connection["properties"]["category"].as_str().map(str::to_owned);
        }
    }
}

/// The workspace that has the connection.
fn parent(connection: &FoundryConnection, world: &World) -> Result<ArmId, Unresolved> {
    let namespace = connection.namespace().unwrap_or_default();
    match (&connection.spec.project_ref, &connection.spec.hub_ref) {
        (Some(project), None) => parent_project(&namespace, &project.name, world),
        (None, Some(hub)) => parent_hub(&namespace, &hub.name, world),
        _ => Err(Unresolved::new(Reason::Refused, "set exactly one of projectRef and hubRef")),
    }
}

fn parent_project(namespace: &str, name: &str, world: &World) -> Result<ArmId, Unresolved> {
    let project = world.projects.get(namespace, name).ok_or_else(|| {
        let message = format!("FoundryProject {namespace}/{name} was not found: create it");
        Unresolved::new(Reason::ProjectNotFound, message)
    })?;
    let not_ready = |why: String| Err(Unresolved::new(Reason::ProjectNotReady, why));
    if project.meta().deletion_timestamp.is_some() {
        return not_ready(format!(
            "FoundryProject {namespace}/{name} is being deleted: this connection can only be deleted too"
        ));
    }
    // Where the hub's owner withdrew the consent, what is in the project is left alone like the project itself. The hub is
    // asked, not the project's status: a tenant can pause a project, and then its status stays as it was.
    if let Err(unresolved) = project::allowing_hub(&project, world) {
        return not_ready(format!("FoundryProject {namespace}/{name} is held up itself: {}", unresolved.message));
    }
    workspace::usable(project.status.as_ref().map(|status| (&status.engine, &status.workspace)))
        .or_else(|why| not_ready(format!("FoundryProject {namespace}/{name} is not there in Azure yet ({why})")))
}

fn parent_hub(namespace: &str, name: &str, world: &World) -> Result<ArmId, Unresolved> {
    let hub = world.hubs.get(namespace, name).ok_or_else(|| {
        Unresolved::new(Reason::HubNotFound, format!("FoundryHub {namespace}/{name} was not found: create it"))
    })?;
    let not_ready = |why: String| Err(Unresolved::new(Reason::HubNotReady, why));
    if hub.meta().deletion_timestamp.is_some() {
        return not_ready(format!(
            "FoundryHub {namespace}/{name} is being deleted: this connection can only be deleted too"
        ));
    }
    workspace::usable(hub.status.as_ref().map(|status| (&status.engine, &status.workspace)))
        .or_else(|why| not_ready(format!("FoundryHub {namespace}/{name} is not there in Azure yet ({why})")))
}

/// The managed fields of a connection, without credentials, which Azure never shows (ARM reference, section 4).
fn body(connection: &FoundryConnection, mark: &str) -> Value {
    let spec = &connection.spec;
    let mut metadata: Map<String, Value> =
        spec.metadata.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    metadata.insert(OWNER_KEY.to_owned(), Value::from(mark));
    let mut body = json!({"properties": {
        "authType": spec.auth_type,
        "category": spec.category,
        "target": spec.target,
        "metadata": metadata,
    }});
    if let Some(shared) = spec.is_shared_to_all {
        body["properties"]["isSharedToAll"] = Value::from(shared);
    }
    body
}

/// The credentials that are not secret.
fn plain_credentials(credentials: &Credentials) -> Value {
    let plain = credentials.plain_fields().into_iter().map(|(place, value)| (place.to_owned(), Value::from(value)));
    json!({"properties": {"credentials": Value::Object(plain.collect())}})
}

/// Where the secret ones go, come from, and in which version.
fn secret_credentials(
    namespace: &str,
    credentials: &Credentials,
    world: &World,
) -> Result<Vec<SecretValue>, Unresolved> {
    let with_version = |(place, field): (String, &SecretField)| {
        let source = field.value_from.secret_key_ref.clone();
        let secret = world.secrets.get(namespace, &source.name)?;
        let version = secret.resource_version().unwrap_or_default();
        Ok(SecretValue { pointer: format!("/properties/credentials/{place}"), source, version })
    };
    credentials.secret_fields().into_iter().map(with_version).collect()
}
