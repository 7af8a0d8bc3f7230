//! ARM paths: which resource or list a request is about. Literal segments and names are compared without case.

use std::fmt;

use axum::http::StatusCode;
use percent_encoding::percent_decode_str;

use crate::errors::ArmError;

pub(crate) const PROVIDER: &str = "Microsoft.MachineLearningServices";

/// A workspace, or a connection, datastore or outbound rule of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceId {
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) workspace: String,
    pub(crate) child: Option<(Child, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Child {
    Connection,
    Datastore,
    OutboundRule,
}

impl Child {
    fn parse(segment: &str) -> Option<Self> {
        [Self::Connection, Self::Datastore, Self::OutboundRule]
            .into_iter()
            .find(|child| child.collection().eq_ignore_ascii_case(segment))
    }

    pub(crate) const fn collection(self) -> &'static str {
        match self {
            Self::Connection => "connections",
            Self::Datastore => "datastores",
            Self::OutboundRule => "outboundRules",
        }
    }
}

impl ResourceId {
    /// The id that `text` spells, if it is one of a kind that the emulator keeps.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match route(text) {
            Ok(Route::Resource(id)) => Some(id),
            _ => None,
        }
    }

    /// The id in the one spelling by which it is looked up.
    pub(crate) fn key(&self) -> String {
        self.to_string().to_lowercase()
    }

    pub(crate) fn name(&self) -> &str {
        self.child.as_ref().map_or(&self.workspace, |(_, name)| name)
    }

    pub(crate) fn resource_type(&self) -> String {
        match self.child {
            None => format!("{PROVIDER}/workspaces"),
            Some((child, _)) => format!("{PROVIDER}/workspaces/{}", child.collection()),
        }
    }

    /// The workspace itself, or the one that a child belongs to.
    pub(crate) fn owner(&self) -> Self {
        Self { child: None, ..self.clone() }
    }

    pub(crate) fn child(&self, child: Child, name: &str) -> Self {
        Self { child: Some((child, name.to_owned())), ..self.clone() }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscription, group, workspace, child } = self;
        write!(
            formatter,
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/{PROVIDER}/workspaces/{workspace}"
        )?;
        match child {
            Some((child, name)) => write!(formatter, "/{}/{name}", child.collection()),
            None => Ok(()),
        }
    }
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The workspaces of a subscription, or of one of its resource groups.
    Workspaces { subscription: String, group: Option<String> },
    /// One resource.
    Resource(ResourceId),
    /// The children of one kind of a workspace.
    Children(ResourceId, Child),
    /// The secrets of a connection.
    Secrets(ResourceId),
    /// The provisioning of the managed network of a workspace.
    Provision(ResourceId),
    /// The state of a long-running operation.
    Operation { subscription: String, location: String, operation: String },
}

/// The segments of a path, as they are meant.
pub(crate) fn decoded(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}

/// Finds what `path` leads to, or the gateway's refusal.
pub(crate) fn route(path: &str) -> Result<Route, ArmError> {
    let decoded = decoded(path);
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let segments = spelled(&segments);
    let ["subscriptions", subscription, rest @ ..] = segments.as_slice() else {
        return Err(not_served(path));
    };
    let (group, rest) = match rest {
        ["resourcegroups", group, rest @ ..] => (Some((*group).to_owned()), rest),
        _ => (None, rest),
    };
    let ["providers", provider, rest @ ..] = rest else {
        return Err(not_served(path));
    };
    if !provider.eq_ignore_ascii_case(PROVIDER) {
        return Err(ArmError::gateway(
            StatusCode::NOT_FOUND,
            "InvalidResourceNamespace",
            format!("The resource namespace '{provider}' is invalid."),
        ));
    }
    service_route(subscription, group, rest).ok_or_else(|| not_served(path))
}

/// The literal segments of the path in lower case, names as they are.
fn spelled<'a>(segments: &[&'a str]) -> Vec<&'a str> {
    const LITERALS: [&str; 11] = [
        "subscriptions",
        "resourcegroups",
        "providers",
        "workspaces",
        "connections",
        "datastores",
        "outboundrules",
        "listsecrets",
        "provisionmanagednetwork",
        "locations",
        "workspaceoperationsstatus",
    ];
    segments
        .iter()
        .enumerate()
        // Names stand at the odd places of every path up to the action, which is the last segment.
        .map(|(place, segment)| {
            let literal = LITERALS.into_iter().find(|literal| literal.eq_ignore_ascii_case(segment));
            match literal {
                Some(literal) if place % 2 == 0 => literal,
                _ => *segment,
            }
        })
        .collect()
}

fn service_route(subscription: &str, group: Option<String>, rest: &[&str]) -> Option<Route> {
    let subscription = subscription.to_owned();
    match (group, rest) {
        (group, ["workspaces"]) => Some(Route::Workspaces { subscription, group }),
        (None, ["locations", location, "workspaceoperationsstatus", operation]) => Some(Route::Operation {
            subscription,
            location: (*location).to_owned(),
            operation: (*operation).to_owned(),
        }),
        (Some(group), ["workspaces", workspace, below @ ..]) => {
            let id = ResourceId { subscription, group, workspace: (*workspace).to_owned(), child: None };
            match below {
                [] => Some(Route::Resource(id)),
                ["provisionmanagednetwork"] => Some(Route::Provision(id)),
                [collection] => Child::parse(collection).map(|child| Route::Children(id, child)),
                [collection, name] => Child::parse(collection).map(|child| Route::Resource(id.child(child, name))),
                ["connections", name, "listsecrets"] => Some(Route::Secrets(id.child(Child::Connection, name))),
                _ => None,
            }
        }
        _ => None,
    }
}

fn not_served(path: &str) -> ArmError {
    ArmError::gateway(
        StatusCode::NOT_FOUND,
        "InvalidResourceType",
        format!("The resource type of '{path}' could not be found in the namespace '{PROVIDER}'."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: &str = "/subscriptions/S/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/hub";

    #[test]
    fn literal_segments_and_names_are_compared_without_case() {
        let shouted = ResourceId::parse(&HUB.to_uppercase()).expect("an id");
        let plain = ResourceId::parse(HUB).expect("an id");
        assert_eq!(shouted.key(), plain.key());
        assert_eq!(plain.to_string(), HUB);
    }

    #[test]
    fn a_workspace_may_be_called_like_a_segment() {
        let id = HUB.replace("/hub", "/Connections");
        assert_eq!(ResourceId::parse(&id).expect("an id").workspace, "Connections");
    }

    #[test]
    fn secrets_are_found_under_either_spelling() {
        for action in ["listsecrets", "listSecrets"] {
            let route = route(&format!("{HUB}/connections/c01/{action}")).expect("a route");
            assert!(matches!(route, Route::Secrets(_)));
        }
    }

    #[test]
    fn other_providers_are_refused() {
        let error =
            route("/subscriptions/s/resourceGroups/r/providers/Microsoft.Storage/storageAccounts/a").expect_err("none");
        assert_eq!(error.code(), "InvalidResourceNamespace");
    }
}
