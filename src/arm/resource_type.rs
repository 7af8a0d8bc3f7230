//! The resource types that the operator writes, and how each wants to be written.

/// How a change is sent to a resource that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateBy {
    /// PATCH with what differs: what the spec does not mention stays as it is.
    Patch,
    /// PUT of the whole, which then has to carry over what others set.
    Put,
}

/// A type of Azure resource.
#[derive(Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// What a person calls it.
    pub label: &'static str,
    /// The pinned version of its API (ARM reference, section 1).
    pub api_version: &'static str,
    /// How it is changed.
    pub update: UpdateBy,
    /// JSON pointer of the map that carries the owner mark, whose other entries are kept. What has none is a part of the
    /// resource that it is below: who owns that owns it too, and it goes when that goes.
    pub mark_in: Option<&'static str>,
    /// JSON pointer of the state in which Azure has it.
    pub state: &'static str,
    /// The collection below the top-level resource in which all of its kind are read at once; absent where each is read alone.
    pub listed_in: Option<&'static str>,
    /// JSON pointers of what a body that replaces it must say in any case.
    pub essentials: &'static [&'static str],
    /// JSON pointers of what Azure fixes at creation (ARM reference, section 3).
    pub fixed: &'static [&'static str],
    /// JSON pointers of texts that can be taken away again.
    pub texts: &'static [&'static str],
    /// JSON pointers of what is carried over from what is there into a body that would replace it, where the spec does not
    /// mention it.
    pub carried: &'static [&'static str],
    /// JSON pointers of what a PATCH takes without its neighbours; otherwise it replaces whole what stands in `properties`.
    pub sent_alone: &'static [&'static str],
}

impl ResourceType {
    /// Whether it is a part of another resource rather than one that has an owner.
    #[must_use]
    pub fn is_part(&self) -> bool {
        self.mark_in.is_none()
    }
}

/// Where the key is named that encrypts a workspace: the one thing of its encryption that can change.
const KEY_IDENTIFIER: &str = "/properties/encryption/keyVaultProperties/keyIdentifier";

/// Hubs and projects.
pub static WORKSPACE: ResourceType = ResourceType {
    label: "workspace",
    api_version: "2025-12-01",
    update: UpdateBy::Patch,
    mark_in: Some("/tags"),
    state: "/properties/provisioningState",
    listed_in: None,
    essentials: &["/kind", "/location"],
    fixed: &[
        "/kind",
        "/location",
        "/properties/storageAccount",
        "/properties/keyVault",
        "/properties/hubResourceId",
        "/properties/encryption/status",
        "/properties/encryption/keyVaultProperties/keyVaultArmId",
        "/properties/encryption/identity/userAssignedIdentity",
    ],
    texts: &["/properties/friendlyName", "/properties/description"],
    carried: &[
        "/properties/managedNetwork/outboundRules",
        "/properties/managedNetwork/managedNetworkKind",
        "/properties/managedNetwork/enableNetworkMonitor",
    ],
    sent_alone: &[KEY_IDENTIFIER],
};

/// Connections of a workspace. A PUT, because a PATCH that leaves the credentials out is not known to keep them.
pub static CONNECTION: ResourceType = ResourceType {
    label: "connection",
    api_version: "2025-12-01",
    update: UpdateBy::Put,
    mark_in: Some("/properties/metadata"),
    state: "/properties/provisioningState",
    listed_in: None,
    essentials: &["/properties/category", "/properties/authType", "/properties/target"],
    fixed: &[],
    texts: &[],
    carried: &[
        "/properties/expiryTime",
        "/properties/isSharedToAll",
        "/properties/peRequirement",
        "/properties/sharedUserList",
        "/properties/useWorkspaceManagedIdentity",
    ],
    sent_alone: &[],
};

/// Outbound rules of a hub's managed network. They have no place for a mark (ARM reference, section 3).
pub static OUTBOUND_RULE: ResourceType = ResourceType {
    label: "outbound rule",
    api_version: "2025-12-01",
    update: UpdateBy::Put,
    mark_in: None,
    state: "/properties/status",
    listed_in: Some("outboundRules"),
    essentials: &["/properties/type", "/properties/destination"],
    fixed: &[],
    texts: &[],
    carried: &[],
    sent_alone: &[],
};

/// The type of a resource of the inventory, by its ARM id.
#[must_use]
pub fn of(id: &super::ArmId) -> Option<&'static ResourceType> {
    match id.resource_type().to_ascii_lowercase().as_str() {
        "microsoft.machinelearningservices/workspaces" => Some(&WORKSPACE),
        "microsoft.machinelearningservices/workspaces/connections" => Some(&CONNECTION),
        "microsoft.machinelearningservices/workspaces/outboundrules" => Some(&OUTBOUND_RULE),
        _ => None,
    }
}

/// A resource as a person reads it: `connection aoai of workspace churn in resource group rg-ai`.
#[must_use]
pub fn label(id: &super::ArmId) -> String {
    let own = of(id).map_or("resource", |type_| type_.label);
    let top = id.top_level();
    let parent = if top == *id { String::new() } else { format!(" of workspace {}", top.name()) };
    format!("{own} {}{parent} in resource group {}", id.name(), id.resource_group())
}
