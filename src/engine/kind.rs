//! What a kind tells the engine of itself. Adding a feature is adding a resource to a kind's set, not a loop.

use std::fmt::Debug;

use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::sight::Sights;
use crate::api::conditions::Reason;
use crate::api::policies::Policies;
use crate::api::references::SecretKeyReference;
use crate::api::status::EngineStatus;
use crate::arm::{ArmId, ResourceType};

/// An Azure resource that an object wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its ARM id.
    pub id: ArmId,
    /// How it is written.
    pub type_: &'static ResourceType,
    /// The managed fields, which are compared with what is there. The owner mark is among them.
    pub body: Value,
    /// What is sent besides when the resource is made, and then is nobody's here: Azure wants it, the spec says nothing.
    pub defaults: Value,
    /// What is sent too, but that Azure never shows again.
    pub write_only: Value,
    /// Secret values to be put into the body when it is sent.
    pub secrets: Vec<SecretValue>,
    /// Why it may not be taken over where it exists, whatever the object's own policy says.
    pub adoption_forbidden: Option<String>,
    /// What is set up once the whole set is there.
    pub provision: Option<Provision>,
}

impl Wanted {
    /// A resource of which nothing but its managed fields is said.
    #[must_use]
    pub fn new(id: ArmId, type_: &'static ResourceType, body: Value) -> Self {
        Self {
            id,
            type_,
            body,
            defaults: Value::Null,
            write_only: Value::Null,
            secrets: Vec::new(),
            adoption_forbidden: None,
            provision: None,
        }
    }
}

/// Something that Azure sets up when it is asked to, which no field of the body asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Provision {
    /// What is set up, as a person says it: `the managed network`.
    pub what: &'static str,
    /// The action below the resource that asks for it.
    pub action: &'static str,
    /// The body of that call.
    pub body: Value,
    /// JSON pointers into the resource, with what they show once it is set up.
    pub done: Vec<(&'static str, Value)>,
}

impl Provision {
    /// Whether the resource shows that it is set up.
    #[must_use]
    pub fn is_done(&self, observed: &Value) -> bool {
        self.done.iter().all(|(at, value)| observed.pointer(at) == Some(value))
    }
}

/// A secret value that the body needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretValue {
    /// JSON pointer of its place in the body.
    pub pointer: String,
    /// Where the value is.
    pub source: SecretKeyReference,
    /// resourceVersion of that Secret.
    pub version: String,
}

/// Something that the spec refers to is not there, or may not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// Which.
    pub reason: Reason,
    /// What to do about it.
    pub message: String,
}

impl Unresolved {
    /// With a reason and a message.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// A custom resource that the engine can drive.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    /// Its status.
    type Status: Clone + Debug + Default + PartialEq + Serialize + Send + Sync;
    /// What it can look up in Kubernetes, from caches.
    type World: Send + Sync;

    /// What may be done with its resources.
    fn policies(&self) -> Policies;

    /// The status as last published.
    fn status(&self) -> Option<&Self::Status>;

    /// The engine's part of a status.
    fn engine(status: &mut Self::Status) -> &mut EngineStatus;

    /// Its owner mark.
    fn mark(&self, world: &Self::World) -> String;

    /// What it takes turns with others as, in calls to Azure and in operations there: all that belongs to one hub is one.
    fn share(&self, world: &Self::World) -> String;

    /// Whether it is what the others of its share belong to: while Azure is at work on it, they wait.
    #[must_use]
    fn leads_share() -> bool {
        false
    }

    /// The ordered set of Azure resources that it wants, its primary first.
    ///
    /// # Errors
    /// [`Unresolved`] where the spec refers to what is not there or may not be used.
    fn resolve(&self, world: &Self::World) -> Result<Vec<Wanted>, Unresolved>;

    /// What has to be gone before its resources can be deleted, told to a person.
    fn held_by(&self, _world: &Self::World) -> Option<String> {
        None
    }

    /// Collections below the primary that are read, beside the resources themselves, for what is published.
    fn reads(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the status holds what Azure did not say itself, but may say soon.
    #[must_use]
    fn is_provisional(_status: &Self::Status) -> bool {
        false
    }

    /// What is lost with the resource once it is made anew, told to a person.
    #[must_use]
    fn lost_with(_status: &Self::Status) -> Option<String> {
        None
    }

    /// Puts what was seen into the status.
    fn publish(&self, world: &Self::World, primary: &Wanted, sights: &Sights, status: &mut Self::Status);
}
