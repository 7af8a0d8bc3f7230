//! What the API server refuses at apply time, and what it then says to do. No operator runs here.

mod connection;
mod consent;
mod credentials;
mod encryption;
mod hub;
mod network;
mod project;
mod secrets;
mod shared;

use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use kube::api::{Patch, PatchParams, PostParams, ValidationDirective};
use kube::core::{ApiResource, DynamicObject, Request, Status};
use kube::{Api, Client, Error};
use serde_json::{Value, json};

use crate::harness::{admin, hub_spec, new_namespace};

/// The API server's note that a first mistake hides what it would find after it.
const REST_UNCHECKED: &str = "some validation rules were not checked";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Hub,
    Project,
    Connection,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Hub, Self::Project, Self::Connection];
    /// Those that are workspaces in Azure.
    const WORKSPACES: [Self; 2] = [Self::Hub, Self::Project];

    fn resource(self) -> ApiResource {
        match self {
            Self::Hub => ApiResource::erase::<FoundryHub>(&()),
            Self::Project => ApiResource::erase::<FoundryProject>(&()),
            Self::Connection => ApiResource::erase::<FoundryConnection>(&()),
        }
    }

    /// The least that passes.
    fn least(self) -> Value {
        match self {
            Self::Hub => {
                with(hub_spec("hub"), json!({"azureName": null, "subscriptionId": null, "allowedProjects": null}))
            }
            Self::Project => json!({"hubRef": {"name": "contoso"}}),
            Self::Connection => {
                json!({"projectRef": {"name": "churn"}, "category": "AIServices", "target": "https://a", "authType": "AAD"})
            }
        }
    }

    /// The least that passes, with changes.
    fn but(self, changes: Value) -> Value {
        with(self.least(), changes)
    }
}

/// A spec after a JSON merge patch: what is null there is taken out.
fn with(spec: Value, changes: Value) -> Value {
    match (spec, changes) {
        (Value::Object(mut spec), Value::Object(changes)) => {
            for (key, change) in changes {
                let before = spec.remove(&key).unwrap_or_default();
                if !change.is_null() {
                    spec.insert(key, with(before, change));
                }
            }
            Value::Object(spec)
        }
        (_, changes) => changes,
    }
}

/// `at("a.b", 1)` is `{"a": {"b": 1}}`.
fn at(path: &str, value: impl Into<Value>) -> Value {
    path.rsplit('.').fold(value.into(), |inner, key| json!({key: inner}))
}

/// The id of a resource in Azure.
fn arm_id(type_and_name: &str) -> String {
    format!("/subscriptions/00000000-0000-4000-8000-00000000000a/resourceGroups/rg-ai/providers/{type_and_name}")
}

/// As the API server lists the values of an enum.
fn quoted(values: &[&str]) -> String {
    values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(", ")
}

/// A namespace in which nothing is kept, except what is `create`d.
struct Desk {
    client: Client,
    namespace: String,
}

impl Desk {
    async fn new() -> Self {
        let client = admin().await;
        let namespace = new_namespace(&client, &[]).await;
        Self { client, namespace }
    }

    /// Unknown fields are refused, as kubectl does it: else a misspelt field would pass for one that is accepted.
    async fn post(&self, kind: Kind, name: &str, spec: Value, dry_run: bool) -> Result<Value, Box<Status>> {
        self.send(kind, name, spec, dry_run, "Strict").await
    }

    async fn send(
        &self,
        kind: Kind,
        name: &str,
        spec: Value,
        dry_run: bool,
        field_validation: &str,
    ) -> Result<Value, Box<Status>> {
        let resource = kind.resource();
        let object = json!({
            "apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec,
        });
        let path = format!("/apis/{}/namespaces/{}/{}", resource.api_version, self.namespace, resource.plural);
        let params = PostParams { dry_run, field_manager: Some("e2e".to_owned()) };
        let mut request = Request::new(path).create(&params, object.to_string().into()).unwrap();
        *request.uri_mut() = format!("{}&fieldValidation={field_validation}", request.uri()).parse().unwrap();
        self.client.request(request).await.map_err(status)
    }

    /// The spec as the API server would keep it.
    async fn accepts(&self, kind: Kind, spec: Value) -> Value {
        self.accepts_named(kind, "churn", spec).await
    }

    async fn accepts_named(&self, kind: Kind, name: &str, spec: Value) -> Value {
        match self.post(kind, name, spec.clone(), true).await {
            Ok(mut object) => object["spec"].take(),
            Err(status) => panic!("{kind:?} {name} {spec} is refused: {}", status.message),
        }
    }

    /// Refused for this reason and no other; gives all that the API server says.
    async fn refuses(&self, kind: Kind, spec: Value, field: &str, says: &str) -> String {
        self.refuses_named(kind, "churn", spec, field, says).await
    }

    async fn refuses_named(&self, kind: Kind, name: &str, spec: Value, field: &str, says: &str) -> String {
        match self.post(kind, name, spec.clone(), true).await {
            Ok(_) => panic!("{kind:?} {name} {spec} is accepted"),
            Err(status) => refusal(&status, &[(field, says)], &spec),
        }
    }

    /// Refused because of a field that does not exist; gives all that the API server says.
    async fn refuses_unknown(&self, kind: Kind, spec: Value, field: &str) -> String {
        match self.post(kind, "churn", spec.clone(), true).await {
            Ok(_) => panic!("{kind:?} {spec} is accepted"),
            Err(status) => {
                let says = format!("unknown field \"{field}\"");
                assert_eq!(status.code, 400, "{spec}: {status:?}");
                assert!(status.message.contains(&says), "{spec}: {}", status.message);
                serde_json::to_string(&status).unwrap()
            }
        }
    }

    async fn create(&self, kind: Kind, name: &str, spec: Value) {
        if let Err(status) = self.post(kind, name, spec.clone(), false).await {
            panic!("{kind:?} {name} {spec} is refused: {}", status.message);
        }
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind.resource())
    }

    async fn patch(&self, kind: Kind, name: &str, changes: &Value) -> Result<(), Box<Status>> {
        let params = PatchParams {
            dry_run: true,
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(json!({"spec": changes}));
        match self.api(kind).patch(name, &params, &patch).await {
            Ok(_) => Ok(()),
            Err(error) => Err(status(error)),
        }
    }

    async fn accepts_change(&self, kind: Kind, name: &str, changes: Value) {
        if let Err(status) = self.patch(kind, name, &changes).await {
            panic!("change {changes} of {kind:?} {name} is refused: {}", status.message);
        }
    }

    async fn refuses_change(&self, kind: Kind, name: &str, changes: Value, why: &[(&str, &str)]) {
        match self.patch(kind, name, &changes).await {
            Ok(()) => panic!("change {changes} of {kind:?} {name} is accepted"),
            Err(status) => refusal(&status, why, &changes),
        };
    }

    /// What the operator writes when Azure has made the resource.
    async fn made_in_azure(&self, kind: Kind, name: &str) {
        let patch = Patch::Merge(json!({"status": {"workspaceId": "8a6e2fe1-0000-4000-8000-000000000000"}}));
        self.api(kind).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }
}

fn status(error: Error) -> Box<Status> {
    match error {
        Error::Api(status) => status,
        other => panic!("{other}"),
    }
}

/// That the API server refuses for exactly these reasons, and that a user reads each.
fn refusal(status: &Status, why: &[(&str, &str)], what: &Value) -> String {
    let causes: Vec<_> = status
        .details
        .iter()
        .flat_map(|details| &details.causes)
        .filter(|cause| !cause.message.contains(REST_UNCHECKED))
        .collect();
    assert_eq!(causes.len(), why.len(), "{what}: {status:#?}");
    for (field, says) in why {
        let named = causes.iter().any(|cause| cause.field == *field && cause.message.contains(says));
        assert!(named, "{what} is not refused at {field} with {says:?}: {status:#?}");
        assert!(status.message.contains(says), "{what}: {}", status.message);
    }
    serde_json::to_string(status).unwrap()
}
