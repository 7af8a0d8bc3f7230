//! What the faults meet: an object of each kind, and the steps of its life.

use std::fmt;

use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use kube::api::ApiResource;
use serde_json::{Value, json};

use crate::harness::{SUBSCRIPTION, Scene, from_secret, hub_spec};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Hub,
    Project,
    ConnectionOfProject,
    ConnectionOfHub,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Create,
    Update,
    Delete,
}

impl Step {
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hub => "hub",
            Self::Project => "project",
            Self::ConnectionOfProject => "connection of a project",
            Self::ConnectionOfHub => "connection of a hub",
        })
    }
}

impl Subject {
    pub const ALL: [Self; 4] = [Self::Hub, Self::Project, Self::ConnectionOfProject, Self::ConnectionOfHub];

    pub fn is_connection(self) -> bool {
        matches!(self, Self::ConnectionOfProject | Self::ConnectionOfHub)
    }

    pub fn resource(self) -> ApiResource {
        match self {
            Self::Hub => ApiResource::erase::<FoundryHub>(&()),
            Self::Project => ApiResource::erase::<FoundryProject>(&()),
            Self::ConnectionOfProject | Self::ConnectionOfHub => ApiResource::erase::<FoundryConnection>(&()),
        }
    }

    pub fn namespace(self, scene: &Scene) -> &str {
        match self {
            Self::Hub | Self::ConnectionOfHub => &scene.platform,
            Self::Project | Self::ConnectionOfProject => &scene.team,
        }
    }

    /// Makes what the subject stands on, and gives the ARM id below which its resources are.
    pub async fn stand(self, scene: &Scene) -> String {
        let group = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai/providers/Microsoft.MachineLearningServices/workspaces"
        );
        if self.is_connection() {
            scene.apply_secret(self.namespace(scene), "key", &[("key", "k-1")]).await;
        }
        if self.is_connection() {
            scene.ready_hub("parent").await;
        }
        if self == Self::Project {
            for number in 0..HUBS {
                scene.apply_hub(&hub(number)).await;
            }
            for number in 0..HUBS {
                scene.until_ready::<FoundryHub>(&scene.platform, &hub(number)).await;
            }
        }
        match self {
            Self::Hub | Self::Project => group,
            Self::ConnectionOfHub => format!("{}/connections", scene.workspace_id("parent")),
            Self::ConnectionOfProject => {
                let project = scene.ready_project("parent", "parent").await;
                format!("{}/connections", project.status.unwrap().engine.resource_id.unwrap())
            }
        }
    }

    /// A whole object of this name, which is its resource's name too.
    pub fn object(self, scene: &Scene, name: &str) -> Value {
        let connection = json!({
            "azureName": name, "category": "AzureOpenAI", "target": "https://a.openai.azure.com", "authType": "ApiKey",
            "credentials": {"key": from_secret("key", "key")}, "metadata": {"ApiType": "Azure"},
        });
        let mut spec = match self {
            Self::Hub => hub_spec(name),
            Self::Project => json!({"azureName": name, "hubRef": {"name": hub_of(name), "namespace": scene.platform}}),
            Self::ConnectionOfProject | Self::ConnectionOfHub => connection,
        };
        match self {
            Self::Hub | Self::Project => {
                spec["friendlyName"] = json!("As made");
                spec["tags"] = json!({"stage": "made"});
            }
            Self::ConnectionOfProject => spec["projectRef"] = json!({"name": "parent"}),
            Self::ConnectionOfHub => spec["hubRef"] = json!({"name": "parent"}),
        }
        let resource = self.resource();
        json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec})
    }

    /// What an update changes.
    pub fn change(self) -> Value {
        if self.is_connection() {
            json!({"spec": {"target": "https://b.openai.azure.com", "metadata": {"ApiType": "azure"}}})
        } else {
            json!({"spec": {"friendlyName": "As changed", "tags": {"stage": "changed"}}})
        }
    }
}

/// Hubs that projects are spread over: those of one hub wait for each other.
const HUBS: usize = 16;

fn hub(number: usize) -> String {
    format!("parent-{number:02}")
}

/// Projects that are under way at the same time have numbers close to each other, and so hubs of their own.
pub fn hub_of(project: &str) -> String {
    let digits: String = project.chars().filter(char::is_ascii_digit).collect();
    hub(digits.parse().map_or(0, |number: usize| number % HUBS))
}
