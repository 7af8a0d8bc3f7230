//! Bodies: how what is wanted differs from what is there, and what to send about it. Only managed fields are compared;
//! maps such as tags are compared as subsets, because others set entries of their own.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::ownership::OWNER_KEY;
use crate::arm::resource_type::UpdateBy;
use crate::arm::{ArmId, ResourceType};

/// A short fingerprint of a body.
#[must_use]
pub fn hash(value: &Value) -> String {
    let digest = Sha256::digest(value.to_string().as_bytes());
    digest.iter().take(8).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The JSON pointers of every value in a body that is not itself an object.
#[must_use]
pub fn leaves(body: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) if !is_identity_map(at) => {
                for (key, value) in map {
                    walk(value, &format!("{at}/{}", escape(key)), found);
                }
            }
            _ => found.push(at.to_owned()),
        }
    }
    let mut found = Vec::new();
    walk(body, "", &mut found);
    found
}

/// The JSON pointers of the managed fields that differ. `formerly` are those that were managed when the resource was last
/// written: one that has left the spec, is still there and can be taken away differs too. What cannot be taken away is
/// only no longer managed.
#[must_use]
pub fn differences(wanted: &Value, observed: &Value, formerly: &[String], type_: &ResourceType) -> Vec<String> {
    let mut different: Vec<String> =
        leaves(wanted).into_iter().filter(|at| !equal(at, wanted.pointer(at), observed.pointer(at))).collect();
    let removable = |at: &&String| {
        let entry = type_.mark_in.and_then(|map| at.strip_prefix(map)).is_some_and(|key| key.starts_with('/'));
        // A PUT leaves nothing that it does not name.
        let replaced = type_.update == UpdateBy::Put && !type_.carried.contains(&at.as_str());
        entry || replaced || type_.texts.contains(&at.as_str())
    };
    let left_behind = formerly.iter().filter(|at| wanted.pointer(at).is_none()).filter(removable);
    different.extend(left_behind.filter(|at| !is_blank(observed.pointer(at))).cloned());
    different
}

/// The body of a PATCH that mends the differences and touches nothing else.
#[must_use]
pub fn patch(
    wanted: &Value,
    observed: &Value,
    differences: &[String],
    formerly: &[String],
    type_: &ResourceType,
) -> Value {
    let mut body = Value::Object(Map::new());
    for at in differences {
        let unit = unit_of(at, type_);
        if body.pointer(unit).is_some() {
            continue;
        }
        let value = if type_.mark_in == Some(unit) {
            merged_map(wanted, observed, formerly, unit)
        } else if unit == "/identity" {
            identity(&wanted["identity"], &observed["identity"])
        } else {
            // FACT: an unset string reads back as `""` or `null` (ARM reference, section 3): a text is taken away as "".
            wanted.pointer(unit).cloned().unwrap_or_else(|| Value::String(String::new()))
        };
        set(&mut body, unit, value);
    }
    let sent: Vec<&&str> = type_.carried.iter().filter(|at| body.pointer(unit_of(at, type_)).is_some()).collect();
    for at in sent {
        carry(&mut body, observed, at);
    }
    body
}

/// The body of a PUT over a resource that exists: what is wanted, with what others set carried over.
#[must_use]
pub fn replacement(wanted: &Value, observed: &Value, formerly: &[String], type_: &ResourceType) -> Value {
    let mut body = wanted.clone();
    if let Some(map) = type_.mark_in {
        set(&mut body, map, merged_map(wanted, observed, formerly, map));
    }
    for at in type_.carried {
        carry(&mut body, observed, at);
    }
    body
}

/// The body that takes our mark off a resource and changes nothing else; `None` where it has none.
#[must_use]
pub fn unmarked(observed: &Value, type_: &ResourceType) -> Option<Value> {
    let map = type_.mark_in?;
    let mut kept = observed.pointer(map)?.as_object()?.clone();
    kept.remove(OWNER_KEY)?;
    kept.retain(|_, value| !value.is_null());
    let mut body = Value::Object(Map::new());
    if type_.update == UpdateBy::Put {
        for at in type_.essentials.iter().chain(type_.carried) {
            carry(&mut body, observed, at);
        }
    }
    set(&mut body, map, Value::Object(kept));
    Some(body)
}

/// Keeps what is there and the body does not mention. Of a map whose entries have a category, only those are kept that
/// users made: what the service requires it adds itself, and refuses to be sent (ARM reference, section 3).
fn carry(body: &mut Value, observed: &Value, at: &str) {
    let Some(there) = observed.pointer(at).filter(|there| !is_blank(Some(there))) else { return };
    if body.pointer(at).is_some() {
        return;
    }
    let mut kept = there.clone();
    if let Value::Object(entries) = &mut kept {
        entries.retain(|_, entry| entry["category"].as_str().is_none_or(|category| category == "UserDefined"));
    }
    set(body, at, kept);
}

/// Puts one body over another, object by object. Null lays nothing over.
pub fn overlay(body: &mut Value, over: &Value) {
    match (body, over) {
        (_, Value::Null) => {}
        (Value::Object(body), Value::Object(over)) => {
            for (key, value) in over {
                overlay(body.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (body, over) => body.clone_from(over),
    }
}

/// Puts one body under another: what is there already stays.
pub fn underlay(body: &mut Value, under: &Value) {
    let mut whole = under.clone();
    overlay(&mut whole, body);
    *body = whole;
}

/// Sets the value at a JSON pointer, making the objects on the way.
pub fn set(body: &mut Value, pointer: &str, value: Value) {
    let mut place = body;
    for key in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(map) = place else { return };
        place = map.entry(key.replace("~1", "/").replace("~0", "~")).or_insert(Value::Null);
    }
    *place = value;
}

/// A key as it stands in a JSON pointer.
#[must_use]
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A PATCH replaces whole what these name: `/tags`, `/identity`, `/properties/description`.
fn unit_of<'a>(at: &'a str, type_: &ResourceType) -> &'a str {
    if type_.sent_alone.contains(&at) {
        return at;
    }
    let segments = if at.starts_with("/properties/") { 2 } else { 1 };
    at.match_indices('/').nth(segments).map_or(at, |(end, _)| &at[..end])
}

/// FACT: PUT and PATCH replace the whole map, and the service adds entries of its own (ARM reference, section 3).
fn merged_map(wanted: &Value, observed: &Value, formerly: &[String], at: &str) -> Value {
    let mut merged: Map<String, Value> = observed
        .pointer(at)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(key, value)| !value.is_null() && !formerly.contains(&format!("{at}/{}", escape(key))))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if let Some(wanted) = wanted.pointer(at).and_then(Value::as_object) {
        merged.extend(wanted.clone());
    }
    Value::Object(merged)
}

/// FACT: to take a user-assigned identity away, its id is sent with null (ARM reference, section 3).
fn identity(wanted: &Value, observed: &Value) -> Value {
    let mut identity = wanted.clone();
    let kept = |id: &str| {
        wanted["userAssignedIdentities"].as_object().is_some_and(|ids| ids.keys().any(|k| k.eq_ignore_ascii_case(id)))
    };
    for id in observed["userAssignedIdentities"].as_object().into_iter().flat_map(Map::keys).filter(|id| !kept(id)) {
        set(&mut identity, &format!("/userAssignedIdentities/{}", escape(id)), Value::Null);
    }
    identity
}

fn equal(at: &str, wanted: Option<&Value>, observed: Option<&Value>) -> bool {
    if is_blank(wanted) {
        return is_blank(observed);
    }
    match (wanted, observed) {
        (Some(Value::String(wanted)), Some(Value::String(observed))) => equal_text(at, wanted, observed),
        (Some(Value::Object(wanted)), Some(Value::Object(observed))) => {
            let among =
                |one: &Map<String, Value>, key: &String| one.keys().any(|other| other.eq_ignore_ascii_case(key));
            wanted.keys().all(|key| among(observed, key)) && observed.keys().all(|key| among(wanted, key))
        }
        (Some(Value::Array(wanted)), Some(Value::Array(observed))) => {
            wanted.len() == observed.len() && wanted.iter().zip(observed).all(|(w, o)| equal(at, Some(w), Some(o)))
        }
        (wanted, observed) => wanted == observed,
    }
}

/// FACT: GET changes the letter case of ids and categories, Cognitive Services puts a space into the identity's type (ARM
/// reference, sections 3 and 4).
fn equal_text(at: &str, wanted: &str, observed: &str) -> bool {
    const SPELLED_FREELY: &[&str] = &[
        "/kind",
        "/location",
        "/identity/type",
        "/properties/category",
        "/properties/authType",
        "/properties/systemDatastoresAuthMode",
    ];
    if SPELLED_FREELY.contains(&at) {
        let plain = |text: &str| text.replace(' ', "").to_ascii_lowercase();
        return plain(wanted) == plain(observed);
    }
    match ArmId::parse(wanted) {
        Ok(id) => ArmId::parse(observed).is_ok_and(|other| other == id),
        Err(_) => wanted == observed,
    }
}

/// FACT: unset strings read back as `""` or `null` (ARM reference, section 3). A list without items says as little.
fn is_blank(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

fn is_identity_map(at: &str) -> bool {
    at == "/identity/userAssignedIdentities"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::arm::resource_type::{CONNECTION, WORKSPACE};

    const STORAGE: &str = "/subscriptions/00000001-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st";

    #[test]
    fn what_azure_spells_differently_is_equal() {
        let wanted = json!({"kind": "Hub", "location": "westeurope", "identity": {"type": "SystemAssigned,UserAssigned"},
            "properties": {"storageAccount": STORAGE, "description": ""}});
        let observed = json!({"kind": "hub", "location": "West Europe", "identity": {"type": "SystemAssigned, UserAssigned", "principalId": "p"},
            "properties": {"storageAccount": STORAGE.to_lowercase(), "description": null, "workspaceId": "w"}});
        assert_eq!(differences(&wanted, &observed, &[], &WORKSPACE), Vec::<String>::new());
    }

    #[test]
    fn tags_of_others_are_no_difference_but_a_changed_one_of_ours_is() {
        let wanted = json!({"tags": {"team": "churn"}});
        assert!(differences(&wanted, &json!({"tags": {"team": "churn", "theirs": "x"}}), &[], &WORKSPACE).is_empty());
        assert_eq!(differences(&wanted, &json!({"tags": {"team": "other"}}), &[], &WORKSPACE), ["/tags/team"]);
        assert_eq!(differences(&wanted, &json!({"tags": null}), &[], &WORKSPACE), ["/tags/team"]);
    }

    #[test]
    fn what_left_the_spec_is_taken_away() {
        let formerly = ["/tags/old".to_owned(), "/properties/description".to_owned()];
        let wanted = json!({"tags": {"team": "churn"}});
        let observed =
            json!({"tags": {"team": "churn", "old": "x", "theirs": "y"}, "properties": {"description": "d"}});
        let different = differences(&wanted, &observed, &formerly, &WORKSPACE);
        assert_eq!(different, ["/tags/old", "/properties/description"]);
        let patch = patch(&wanted, &observed, &different, &formerly, &WORKSPACE);
        assert_eq!(patch, json!({"tags": {"team": "churn", "theirs": "y"}, "properties": {"description": ""}}));
    }

    #[test]
    fn what_cannot_be_taken_away_is_only_no_longer_managed() {
        let formerly = ["/properties/publicNetworkAccess".to_owned(), "/identity/type".to_owned()];
        let observed =
            json!({"identity": {"type": "SystemAssigned"}, "properties": {"publicNetworkAccess": "Disabled"}});
        assert!(differences(&json!({}), &observed, &formerly, &WORKSPACE).is_empty());
    }

    #[test]
    fn a_changed_network_keeps_the_rules_that_users_made() {
        let wanted = json!({"properties": {"managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound", "firewallSku": "Basic"}}});
        let rules = json!({"mine": {"category": "UserDefined"}, "theirs": {"category": "Required"}});
        let observed = json!({"properties": {"managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound",
            "firewallSku": "Standard", "status": {"status": "Active"}, "outboundRules": rules}}});
        let different = differences(&wanted, &observed, &[], &WORKSPACE);
        let sent = patch(&wanted, &observed, &different, &[], &WORKSPACE);
        let expected = json!({"isolationMode": "AllowOnlyApprovedOutbound", "firewallSku": "Basic", "outboundRules": {"mine": {"category": "UserDefined"}}});
        assert_eq!(sent, json!({"properties": {"managedNetwork": expected}}));
    }

    #[test]
    fn a_patch_sends_what_differs_and_nothing_else() {
        let wanted = json!({"location": "westeurope", "tags": {"team": "churn"}, "properties": {"friendlyName": "Churn", "storageAccount": STORAGE}});
        let observed = json!({"location": "westeurope", "tags": {"team": "churn"}, "properties": {"friendlyName": "X", "storageAccount": STORAGE}});
        let different = differences(&wanted, &observed, &[], &WORKSPACE);
        assert_eq!(
            patch(&wanted, &observed, &different, &[], &WORKSPACE),
            json!({"properties": {"friendlyName": "Churn"}})
        );
    }

    #[test]
    fn an_identity_that_left_the_spec_is_sent_as_null() {
        let wanted = json!({"identity": {"type": "SystemAssigned"}});
        let observed =
            json!({"identity": {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {"/x": {}}}});
        let different = differences(&wanted, &observed, &[], &WORKSPACE);
        let sent = patch(&wanted, &observed, &different, &[], &WORKSPACE);
        assert_eq!(sent, json!({"identity": {"type": "SystemAssigned", "userAssignedIdentities": {"/x": null}}}));
    }

    #[test]
    fn a_replacement_keeps_what_others_set() {
        let wanted = json!({"properties": {"target": "t", "metadata": {"ApiType": "Azure"}}});
        let observed = json!({"properties": {"target": "u", "isSharedToAll": false, "expiryTime": null, "credentials": null,
            "metadata": {"ApiType": "x", "DeploymentApiVersion": "v", "empty": null}}});
        assert_eq!(
            replacement(&wanted, &observed, &[], &CONNECTION),
            json!({"properties": {"target": "t", "isSharedToAll": false, "metadata": {"ApiType": "Azure", "DeploymentApiVersion": "v"}}})
        );
    }

    #[test]
    fn a_mark_comes_off_and_nothing_else_does() {
        let hub =
            json!({"kind": "Hub", "tags": {OWNER_KEY: "c/n/x", "team": "churn"}, "properties": {"friendlyName": "x"}});
        assert_eq!(unmarked(&hub, &WORKSPACE), Some(json!({"tags": {"team": "churn"}})));
        let connection = json!({"properties": {"category": "AzureOpenAI", "authType": "ApiKey", "target": "t", "credentials": null,
            "group": "AzureAI", "isSharedToAll": true, "metadata": {OWNER_KEY: "c/n/x", "ApiType": "Azure", "empty": null}}});
        let kept = json!({"properties": {"category": "AzureOpenAI", "authType": "ApiKey", "target": "t", "isSharedToAll": true,
            "metadata": {"ApiType": "Azure"}}});
        assert_eq!(unmarked(&connection, &CONNECTION), Some(kept));
        assert_eq!(unmarked(&json!({"tags": {"team": "churn"}}), &WORKSPACE), None);
    }

    #[test]
    fn laying_nothing_over_a_body_leaves_it() {
        let mut body = json!({"properties": {"target": "t"}});
        overlay(&mut body, &Value::Null);
        overlay(&mut body, &json!({"properties": {"credentials": {"clientId": "c"}}}));
        assert_eq!(body, json!({"properties": {"target": "t", "credentials": {"clientId": "c"}}}));
    }

    #[test]
    fn keys_with_slashes_keep_their_place() {
        let wanted = json!({"properties": {"metadata": {"a/b~c": "x"}}});
        assert_eq!(leaves(&wanted), ["/properties/metadata/a~1b~0c"]);
        let mut body = Value::Null;
        set(&mut body, "/properties/metadata/a~1b~0c", json!("x"));
        assert_eq!(body, wanted);
    }
}
