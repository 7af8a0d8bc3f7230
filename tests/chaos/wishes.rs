//! What the users want to be there.

use serde_json::{Value, json};

use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use kube::api::ApiResource;

use crate::NAMESPACE;

const HUBS: usize = 5;
const PROJECTS: usize = 25;
const CONNECTIONS: usize = 70;
/// Every so many connections, one is of a hub and not of a project.
const OF_A_HUB: usize = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Hub,
    Project,
    Connection,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Hub, Self::Project, Self::Connection];

    /// After how many changes, on the whole, one is deleted. Hubs and projects take all that they have with them.
    pub fn lasts(self) -> u8 {
        match self {
            Self::Hub => 60,
            Self::Project => 20,
            Self::Connection => 6,
        }
    }

    pub fn resource(self) -> ApiResource {
        match self {
            Self::Hub => ApiResource::erase::<FoundryHub>(&()),
            Self::Project => ApiResource::erase::<FoundryProject>(&()),
            Self::Connection => ApiResource::erase::<FoundryConnection>(&()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is known to be gone.
    Absent,
    /// It was deleted, and may be there still.
    Leaving,
    There {
        spec: u32,
        /// Which key its Secret has; of connections alone.
        key: u32,
    },
}

/// An object that may be there or not.
#[derive(Debug)]
pub struct Wish {
    pub kind: Kind,
    pub name: String,
    /// The place of what it belongs to.
    pub parent: Option<usize>,
    pub state: State,
}

/// All of them. What belongs to another comes after it.
pub struct Wishes(Vec<Wish>);

impl Wishes {
    pub fn new() -> Self {
        let wish = |kind, name: &str, number: usize, parent| Wish {
            kind,
            name: format!("{name}-{number}"),
            parent,
            state: State::Absent,
        };
        let hubs = (0..HUBS).map(|number| wish(Kind::Hub, "hub", number, None));
        let projects = (0..PROJECTS).map(|number| wish(Kind::Project, "project", number, Some(number % HUBS)));
        let connections = (0..CONNECTIONS).map(|number| {
            let parent = if number % OF_A_HUB == 0 { number % HUBS } else { HUBS + number % PROJECTS };
            wish(Kind::Connection, "connection", number, Some(parent))
        });
        Self(hubs.chain(projects).chain(connections).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn all(&self) -> impl Iterator<Item = &Wish> {
        self.0.iter()
    }

    pub fn at(&self, place: usize) -> &Wish {
        &self.0[place]
    }

    pub fn set(&mut self, place: usize, state: State) {
        self.0[place].state = state;
    }

    /// How many are wished for.
    pub fn there(&self) -> usize {
        self.0.iter().filter(|wish| wish.is_there()).count()
    }

    pub fn parent(&self, wish: &Wish) -> Option<&Wish> {
        wish.parent.map(|place| self.at(place))
    }

    /// The places of what belongs to it, and of what belongs to that.
    pub fn below(&self, place: usize) -> Vec<usize> {
        let children = (0..self.len()).filter(|child| self.0[*child].parent == Some(place));
        children.flat_map(|child| std::iter::once(child).chain(self.below(child))).collect()
    }

    /// The ARM id of its resource.
    pub fn id(&self, wish: &Wish) -> String {
        let workspace = |name: &str| format!("{}/Microsoft.MachineLearningServices/workspaces/{name}", providers());
        match (wish.kind, self.parent(wish)) {
            (Kind::Connection, Some(parent)) => format!("{}/connections/{}", workspace(&parent.name), wish.name),
            _ => workspace(&wish.name),
        }
    }

    /// The whole object; `None` where it is not wished for.
    pub fn object(&self, wish: &Wish) -> Option<Value> {
        let State::There { spec: version, .. } = wish.state else { return None };
        let mut spec = match wish.kind {
            Kind::Hub => json!({
                "subscriptionId": arm_emulator::DEFAULT_SUBSCRIPTION,
                "resourceGroup": "rg-ai",
                "location": "westeurope",
                "storageAccount": {"resourceId": format!("{}/Microsoft.Storage/storageAccounts/st{}", providers(), wish.name.replace('-', ""))},
                "keyVault": {"resourceId": format!("{}/Microsoft.KeyVault/vaults/kv-chaos", providers())},
            }),
            Kind::Project => json!({}),
            Kind::Connection => json!({
                "category": "AzureOpenAI",
                "target": target(version),
                "authType": "ApiKey",
                "credentials": {"key": {"valueFrom": {"secretKeyRef": {"name": wish.name, "key": "key"}}}},
                "metadata": {"ApiType": "Azure"},
            }),
        };
        spec["azureName"] = json!(wish.name);
        if wish.kind != Kind::Connection {
            spec["friendlyName"] = json!(friendly_name(version));
            spec["tags"] = tags(version);
        }
        if let Some(parent) = self.parent(wish) {
            let reference = if parent.kind == Kind::Hub { "hubRef" } else { "projectRef" };
            spec[reference] = json!({"name": parent.name});
        }
        let resource = wish.kind.resource();
        let metadata = json!({"name": wish.name, "namespace": NAMESPACE});
        Some(json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec}))
    }
}

impl Wish {
    pub fn is_there(&self) -> bool {
        matches!(self.state, State::There { .. })
    }
}

fn providers() -> String {
    format!("/subscriptions/{}/resourceGroups/rg-ai/providers", arm_emulator::DEFAULT_SUBSCRIPTION)
}

pub fn target(version: u32) -> String {
    format!("https://v{version}.openai.azure.com")
}

pub fn friendly_name(version: u32) -> String {
    format!("Version {version}")
}

/// One that changes and one that comes and goes.
pub fn tags(version: u32) -> Value {
    if version.is_multiple_of(2) {
        json!({"version": version.to_string(), "even": "yes"})
    } else {
        json!({"version": version.to_string()})
    }
}

pub fn key(version: u32) -> String {
    format!("key-{version}")
}
