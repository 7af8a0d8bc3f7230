//! CEL rules that more than one kind uses, each with a message that says what to do.

use kube::core::cel::{Message, Rule};

/// Names of workspaces and connections (ARM reference, section 2).
const AZURE_NAME: &str = "^[a-zA-Z0-9][a-zA-Z0-9_-]{2,32}$";

/// The Azure name, where it is given.
pub(super) fn azure_name() -> Rule {
    Rule::new(format!("self.matches('{AZURE_NAME}')"))
        .message("azureName must have 3 to 33 letters, digits, '-' or '_', and begin with a letter or digit")
}

/// The name of something below a workspace.
pub(super) fn resource_name() -> Rule {
    Rule::new(format!("self.matches('{AZURE_NAME}')"))
        .message("name must have 3 to 33 letters, digits, '-' or '_', and begin with a letter or digit")
}

/// Root rule for kinds whose Azure name is by default their own name.
pub(super) fn name_serves_as_azure_name() -> Rule {
    Rule::new(format!("has(self.spec.azureName) || self.metadata.name.matches('{AZURE_NAME}')")).message(
        "metadata.name cannot serve as the Azure name (3 to 33 letters, digits, '-' or '_', beginning with a letter or digit): set spec.azureName",
    )
}

/// A required field of the spec that cannot change, because the Azure resource cannot be renamed or moved.
pub(super) fn fixed(field: &str) -> Rule {
    Rule::new(format!("self.{field} == oldSelf.{field}")).message(fixed_message(field))
}

/// The same for an optional field, which can then neither be added nor taken away.
pub(super) fn fixed_optional(field: &str) -> Rule {
    Rule::new(format!(
        "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    ))
    .message(fixed_message(field))
}

/// Root rule for a field that Azure fixes at creation: as long as nothing was created, a mistake in it can be mended.
pub(super) fn fixed_once_created(field: &str) -> Rule {
    Rule::new(format!(
        "!has(oldSelf.status) || !has(oldSelf.status.workspaceId) || self.spec.{field} == oldSelf.spec.{field}"
    ))
    .message(Message::Message(format!(
        "{field} is fixed once the resource exists in Azure: to change it, delete this object, and with it what is there, and create another one"
    )))
}

fn fixed_message(field: &str) -> Message {
    Message::Message(format!(
        "{field} is fixed: to change it, delete this object (with deletionPolicy: Orphan, if Azure is to keep what is there) and create another one"
    ))
}

/// A reference whose `resourceId` is the ARM id of one resource type, letter case aside, as ARM itself compares.
pub(super) fn arm_reference(resource_type: &str, what: &str) -> Rule {
    Rule::new(format!("self.resourceId.matches('{}')", arm_id_pattern(resource_type)))
        .message(arm_id_message(resource_type, what))
}

/// The same for a text that is an ARM id.
pub(super) fn arm_id(resource_type: &str, what: &str) -> Rule {
    Rule::new(format!("self.matches('{}')", arm_id_pattern(resource_type))).message(arm_id_message(resource_type, what))
}

/// A text that is the ARM id of a resource of whatever type.
pub(super) fn any_arm_id() -> Rule {
    Rule::new("self.matches('(?i)^/subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourceGroups/[-a-z0-9._()]{0,89}[-a-z0-9_()]/providers/[a-z0-9.]+(/[-a-z0-9._()]+/[-a-z0-9._()]+)+$')")
        .message("must be the ARM id of a resource: /subscriptions/<guid>/resourceGroups/<name>/providers/<namespace>/<type>/<name>")
}

/// The same for a list of ARM ids.
pub(super) fn arm_ids(resource_type: &str, what: &str) -> Rule {
    Rule::new(format!("self.all(id, id.matches('{}'))", arm_id_pattern(resource_type)))
        .message(arm_id_message(resource_type, what))
}

fn arm_id_pattern(resource_type: &str) -> String {
    let provider = resource_type.replace('.', "[.]");
    format!(
        "(?i)^/subscriptions/[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}/resourceGroups/[-a-z0-9._()]{{0,89}}[-a-z0-9_()]/providers/{provider}/[-a-z0-9._()]{{0,259}}[-a-z0-9_()]$"
    )
}

fn arm_id_message(resource_type: &str, what: &str) -> Message {
    Message::Message(format!(
        "must be the ARM id of {what}: /subscriptions/<guid>/resourceGroups/<name>/providers/{resource_type}/<name>"
    ))
}

/// Tag names as ARM takes them, with the operator's own and the service's left alone. To ARM, names that differ in
/// letter case only are one name.
pub(super) fn tags() -> Rule {
    Rule::new(
        "self.all(k, size(k) >= 1 && size(k) <= 512 && !k.matches('[<>%&?/\\\\\\\\]') && !k.matches('(?i)^(__SYSTEM__|foundryoperator[.]dev[.]owner$)'))",
    )
    .message("give tags names of 1 to 512 characters without < > % & \\ ? /, and take out foundryoperator.dev.owner and names that begin with __SYSTEM__, which are not yours to set")
}

/// The identity type decides whether identities of the user's own are named.
pub(super) fn identity() -> Rule {
    Rule::new(
        "(self.type == 'SystemAssigned') == (!has(self.userAssignedIdentities) || size(self.userAssignedIdentities) == 0)",
    )
    .message("list at least one identity in userAssignedIdentities where type names UserAssigned, and none where type is SystemAssigned")
}

/// A project's or connection's owner must be named by exactly one reference.
pub(super) fn one_parent() -> Rule {
    Rule::new("has(self.projectRef) != has(self.hubRef)")
        .message("set exactly one of projectRef (for one project) and hubRef (shared by the hub's projects)")
}
