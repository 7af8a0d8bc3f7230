//! The objects whose lives are followed, and the steps of these.

use std::fmt;

use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use kube::api::ApiResource;
use serde_json::{Value, json};

use crate::harness::{Scene, from_secret, hub_spec};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Hub,
    HubWithNetwork,
    Project,
    /// Of a project.
    Connection,
    /// Of a hub.
    SharedConnection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Create,
    Update,
    /// The Secret of a connection changes.
    Rotate,
    Delete,
    /// What exists unmarked is taken over.
    Adopt,
    /// The object is deleted, and what it owns is let go.
    Orphan,
    /// The object is made, and deleted while there is no operator.
    Abandon,
}

impl Step {
    /// Whether nothing is left of the object when it has ended.
    pub fn ends_the_object(self) -> bool {
        matches!(self, Self::Delete | Self::Orphan | Self::Abandon)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Rotate => "rotate",
            Self::Delete => "delete",
            Self::Adopt => "adopt",
            Self::Orphan => "orphan",
            Self::Abandon => "abandon",
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hub => "hub",
            Self::HubWithNetwork => "hub with a network",
            Self::Project => "project",
            Self::Connection => "connection",
            Self::SharedConnection => "shared connection",
        })
    }
}

/// Names of what the objects stand on: a hub, and a project of it.
pub const PARENT: &str = "parent";

impl Subject {
    pub const ALL: [Self; 5] =
        [Self::Hub, Self::HubWithNetwork, Self::Project, Self::Connection, Self::SharedConnection];

    pub fn is_connection(self) -> bool {
        matches!(self, Self::Connection | Self::SharedConnection)
    }

    /// The lives that an object of it can have without a crash.
    pub fn lives(self) -> [&'static [Step]; 2] {
        let whole: &[Step] = match self {
            Self::Connection | Self::SharedConnection => &[Step::Create, Step::Update, Step::Rotate, Step::Delete],
            _ => &[Step::Create, Step::Update, Step::Delete],
        };
        [whole, &[Step::Adopt, Step::Orphan]]
    }

    pub fn resource(self) -> ApiResource {
        match self {
            Self::Hub | Self::HubWithNetwork => ApiResource::erase::<FoundryHub>(&()),
            Self::Project => ApiResource::erase::<FoundryProject>(&()),
            Self::Connection | Self::SharedConnection => ApiResource::erase::<FoundryConnection>(&()),
        }
    }

    pub fn namespace(self, scene: &Scene) -> &str {
        match self {
            Self::Hub | Self::HubWithNetwork | Self::SharedConnection => &scene.platform,
            Self::Project | Self::Connection => &scene.team,
        }
    }

    /// A whole object of this name, which is also that of its resource and of its Secret.
    pub fn object(self, scene: &Scene, name: &str) -> Value {
        let mut spec = match self {
            Self::Hub | Self::HubWithNetwork => hub_spec(name),
            Self::Project => json!({"azureName": name, "hubRef": {"name": PARENT, "namespace": scene.platform}}),
            Self::Connection | Self::SharedConnection => json!({
                "azureName": name, "category": "AzureOpenAI", "target": "https://a.openai.azure.com",
                "authType": "ApiKey", "credentials": {"key": from_secret(name, "key")},
                "metadata": {"ApiType": "Azure"},
            }),
        };
        match self {
            Self::Connection => spec["projectRef"] = json!({"name": PARENT}),
            Self::SharedConnection => spec["hubRef"] = json!({"name": PARENT}),
            Self::Hub | Self::HubWithNetwork | Self::Project => {}
        }
        if self == Self::HubWithNetwork {
            spec["managedNetwork"] = json!({
                "isolationMode": "AllowOnlyApprovedOutbound", "provisionNow": true,
                "outboundRules": [fqdn("pypi", "pypi.org"), fqdn("conda", "conda.io")],
            });
        }
        if !self.is_connection() {
            spec["friendlyName"] = json!("As made");
            spec["tags"] = json!({"stage": "made"});
        }
        let resource = self.resource();
        json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec})
    }

    /// What an update changes.
    pub fn change(self) -> Value {
        let workspace = json!({"friendlyName": "As changed", "tags": {"stage": "changed"}});
        match self {
            Self::Hub | Self::Project => workspace,
            Self::HubWithNetwork => {
                let rules = json!([fqdn("pypi", "pypi.python.org"), fqdn("npm", "npmjs.com")]);
                let mut change = workspace;
                change["managedNetwork"] = json!({"outboundRules": rules});
                change
            }
            Self::Connection | Self::SharedConnection => {
                json!({"target": "https://b.openai.azure.com", "metadata": {"ApiType": "azure"}})
            }
        }
    }

    /// What somebody else made of the same name, by ARM id: the resource, and then what is part of it.
    pub fn of_others(self, scene: &Scene, project: &str, name: &str) -> Vec<(String, Value)> {
        let id = self.id(scene, project, name);
        let hub = || {
            let spec = hub_spec(name);
            json!({
                "kind": "Hub", "location": "westeurope", "tags": {"team": "theirs"}, "identity": {"type": "SystemAssigned"},
                "properties": {
                    "storageAccount": spec["storageAccount"]["resourceId"], "keyVault": spec["keyVault"]["resourceId"],
                    "description": "theirs",
                },
            })
        };
        match self {
            Self::Hub => vec![(id, hub())],
            Self::HubWithNetwork => {
                let mut hub = hub();
                hub["properties"]["managedNetwork"] = json!({"isolationMode": "AllowOnlyApprovedOutbound"});
                let rule =
                    json!({"properties": {"type": "FQDN", "category": "UserDefined", "destination": "theirs.org"}});
                vec![(id.clone(), hub), (format!("{id}/outboundRules/pypi"), rule)]
            }
            Self::Project => {
                let properties = json!({"hubResourceId": scene.workspace_id(PARENT), "description": "theirs"});
                let identity = json!({"type": "SystemAssigned"});
                let project = json!({
                    "kind": "Project", "location": "westeurope", "identity": identity, "properties": properties,
                });
                vec![(id, project)]
            }
            Self::Connection | Self::SharedConnection => {
                let properties = json!({
                    "category": "AzureOpenAI", "target": "https://theirs.openai.azure.com", "authType": "ApiKey",
                    "credentials": {"key": "theirs"}, "metadata": {"ApiType": "Azure", "theirs": "yes"},
                });
                vec![(id, json!({"properties": properties}))]
            }
        }
    }

    /// The ARM id of its resource; `project` is that of the project that connections stand on.
    pub fn id(self, scene: &Scene, project: &str, name: &str) -> String {
        let parent = scene.workspace_id(PARENT);
        match self {
            Self::Connection => return format!("{project}/connections/{name}"),
            Self::SharedConnection => return format!("{parent}/connections/{name}"),
            Self::Hub | Self::HubWithNetwork | Self::Project => {}
        }
        let (workspaces, _) = parent.rsplit_once('/').unwrap();
        format!("{workspaces}/{name}")
    }
}

fn fqdn(name: &str, host: &str) -> Value {
    json!({"name": name, "type": "FQDN", "fqdn": host})
}
