//! Whether cluster and Azure are as the users wish, and as each other.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;
use stage::Azure;

use crate::NAMESPACE;
use crate::users::persistently;
use crate::wishes::{Kind, State, Wish, Wishes, friendly_name, key, tags, target};

/// What differs, for people; nothing where all agree.
pub async fn differences(client: &Client, azure: &Azure, wishes: &Wishes) -> Vec<String> {
    let mut objects = BTreeMap::new();
    for kind in Kind::ALL {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &kind.resource());
        let list = persistently(async || api.list(&ListParams::default()).await.map(Some)).await;
        objects.extend(list.into_iter().flatten().map(|object| (object.name_any(), object)));
    }
    let mut differences = Vec::new();
    for wish in wishes.all() {
        let object = objects.remove(&wish.name);
        let resource = azure.resource(&wishes.id(wish));
        differences.extend(difference(wish, object.as_ref(), resource.as_ref(), azure, wishes));
    }
    differences.extend(objects.keys().map(|name| format!("{name} is in the cluster, and nobody wished for it")));
    let ids: BTreeSet<String> =
        wishes.all().filter(|wish| wish.is_there()).map(|wish| wishes.id(wish).to_lowercase()).collect();
    let ours = azure.resources().into_iter().filter(|resource| {
        let type_ = resource["type"].as_str().unwrap_or_default().to_lowercase();
        type_.ends_with("/workspaces") || type_.ends_with("/connections")
    });
    let strays =
        ours.filter_map(|resource| resource["id"].as_str().map(str::to_lowercase)).filter(|id| !ids.contains(id));
    differences.extend(strays.map(|id| format!("{id} is in Azure, and nobody wished for it")));
    differences
}

fn difference(
    wish: &Wish,
    object: Option<&DynamicObject>,
    resource: Option<&Value>,
    azure: &Azure,
    wishes: &Wishes,
) -> Option<String> {
    let name = &wish.name;
    let State::There { spec, key: key_version } = wish.state else {
        return object.map(|object| format!("{name} is still in the cluster: {}", conditions(object)));
    };
    let Some(object) = object else { return Some(format!("{name} is not in the cluster")) };
    let status = &object.data["status"];
    let observed = status["observedGeneration"].as_i64() == object.metadata.generation;
    if !(observed && is_true(status, "Ready") && is_true(status, "Synced")) {
        return Some(format!("{name} is not Ready: {}", conditions(object)));
    }
    let Some(resource) = resource else { return Some(format!("{name} is Ready and not in Azure")) };
    let properties = &resource["properties"];
    if wish.kind == Kind::Connection {
        let credentials = azure.connection_credentials(&wishes.id(wish)).unwrap_or_default();
        let is_so = properties["target"] == target(spec) && credentials["key"] == key(key_version);
        return (!is_so).then(|| format!("{name} has the target {} and the key {credentials}", properties["target"]));
    }
    let mut own = resource["tags"].clone();
    if let Some(own) = own.as_object_mut() {
        own.retain(|tag, _| !tag.starts_with("foundryoperator.dev") && !tag.starts_with("__SYSTEM__"));
    }
    let mark = resource["tags"]["foundryoperator.dev.owner"].as_str().unwrap_or_default();
    if properties["friendlyName"] != friendly_name(spec) || own != tags(spec) {
        return Some(format!(
            "{name} is called {} and has the tags {own}, where version {spec} is wished for",
            properties["friendlyName"]
        ));
    }
    if !mark.ends_with(&format!("/{NAMESPACE}/{name}")) {
        return Some(format!("{name} has the owner mark {mark:?}"));
    }
    let (told, is) = (&status["workspaceId"], &properties["workspaceId"]);
    (told != is).then(|| format!("{name} tells the workspaceId {told}, where Azure has {is}"))
}

fn is_true(status: &Value, type_: &str) -> bool {
    let conditions = status["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|one| one["type"] == type_ && one["status"] == "True"))
}

fn conditions(object: &DynamicObject) -> String {
    object.data["status"]["conditions"].to_string()
}
