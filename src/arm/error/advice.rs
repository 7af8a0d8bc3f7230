//! What a person can do about what ARM refuses, with the particulars that ARM's sentence names. What is read out of a
//! sentence stands in commands that people copy, so it is only taken where it looks as ids do.

use super::table::Remedy;

/// Longest id that is repeated in an advice; ARM's ids are shorter.
const ID_LIMIT: usize = 400;

/// Where an error was answered: what its sentence does not say itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place<'a> {
    /// Path of the request's URL.
    pub(super) path: &'a str,
}

/// The advice; `None` where there is nothing to do but wait.
pub(super) fn advice(remedy: Remedy, message: &str, place: Place<'_>) -> Option<String> {
    match remedy {
        Remedy::Wait => None,
        Remedy::Do(text) => Some(text.to_owned()),
        Remedy::AssignRole => Some(assign_role(message)),
        Remedy::Unlock => Some(match quoted_after(message, "are locked: ") {
            Some(scope) => format!("take the lock off {scope}: az lock list and az lock delete"),
            None => "take the lock off the resource or its resource group in Azure".to_owned(),
        }),
        Remedy::Register => Some(match (namespace(message), subscription(place.path)) {
            (Some(namespace), Some(subscription)) => {
                format!("register the resource provider: {}", register(namespace, subscription))
            }
            _ => "register the resource provider that the message names: az provider register".to_owned(),
        }),
        Remedy::CreateGroup => Some(match quoted_after(message, "Resource group ") {
            Some(group) => format!("create resource group {group} in Azure, or mend resourceGroup"),
            None => "create the resource group in Azure".to_owned(),
        }),
    }
}

/// The command that registers a resource provider.
pub(super) fn register(namespace: &str, subscription: &str) -> String {
    format!("az provider register --namespace {namespace} --subscription {subscription}")
}

/// The resource provider that `MissingSubscriptionRegistration` names.
pub(super) fn namespace(message: &str) -> Option<&str> {
    // It becomes part of a path.
    quoted_after(message, "namespace ").filter(|text| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'))
}

/// The subscription that a path is in.
pub(super) fn subscription(path: &str) -> Option<&str> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    segments.next().filter(|first| first.eq_ignore_ascii_case("subscriptions"))?;
    segments.next().filter(|id| is_id(id))
}

/// FACT: `AuthorizationFailed` names client, object id, action and scope; `LinkedAuthorizationFailed` the same of what was
/// asked for and then, after "however", action and scopes that are missing.
fn assign_role(message: &str) -> String {
    let missing = message.split_once("however").map_or(message, |(_, missing)| missing);
    let action = quoted_after(missing, "perform action ");
    let scope = quoted_after(missing, "over scope ")
        .or_else(|| quoted_after(missing, "on the linked scope(s) "))
        .or_else(|| quoted_after(missing, "on scope "));
    let object_id = quoted_after(message, "with object id ");
    match (object_id, action, scope) {
        (Some(object_id), Some(action), Some(scope)) => {
            let role = role(action);
            let scope = assigned_at(action, scope);
            format!(
                "give the operator's identity a role with {action}: az role assignment create --assignee-object-id \
                 {object_id} --role \"{role}\" --scope \"{scope}\"; it may take minutes to be seen"
            )
        }
        _ => {
            "give the operator's identity a role with the action on the scope that the message names, such as Azure AI \
              Administrator on the resource group"
                .to_owned()
        }
    }
}

/// A built-in role that has an action: of several the narrowest that is usual for it.
fn role(action: &str) -> &'static str {
    let action = action.to_ascii_lowercase();
    let of = |namespace: &str| action.starts_with(namespace);
    if action.ends_with("/register/action") {
        "Contributor"
    } else if of("microsoft.authorization/roleassignments/") {
        "Role Based Access Control Administrator"
    } else if of("microsoft.managedidentity/") {
        "Managed Identity Operator"
    } else if of("microsoft.storage/") {
        "Storage Account Contributor"
    } else if of("microsoft.keyvault/") {
        "Key Vault Contributor"
    } else if of("microsoft.resources/") || of("microsoft.machinelearningservices/locations/") {
        "Reader"
    } else if of("microsoft.machinelearningservices/") {
        "Azure AI Administrator"
    } else {
        "Contributor"
    }
}

const GROUPS: &str = "/resourcegroups/";

/// Workspaces come and go: their role belongs on the resource group. Everything else is asked for where it is missing, and
/// of several scopes the first.
fn assigned_at<'a>(action: &str, scope: &'a str) -> &'a str {
    let scope = scope.split(',').next().unwrap_or(scope);
    if !action.to_ascii_lowercase().starts_with("microsoft.machinelearningservices/") {
        return scope;
    }
    let lower = scope.to_ascii_lowercase();
    let group = lower.find(GROUPS).map(|at| at + GROUPS.len());
    let end = group.map_or_else(|| lower.find("/providers/"), |name| lower[name..].find('/').map(|end| name + end));
    end.map_or(scope, |end| &scope[..end])
}

/// The text between the quotes that follow `words`, where it is an id, or several.
fn quoted_after<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    let after = &message[message.find(words)? + words.len()..];
    let (text, _) = after.strip_prefix('\'')?.split_once('\'')?;
    is_id(text).then_some(text)
}

fn is_id(text: &str) -> bool {
    let usual = |c: char| c.is_ascii_alphanumeric() || "/-_.,()".contains(c);
    !text.is_empty() && text.len() <= ID_LIMIT && text.chars().all(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "/subscriptions/s/resourceGroups/rg-ai";

    fn told(remedy: Remedy, message: &str, path: &str) -> String {
        advice(remedy, message, Place { path }).unwrap()
    }

    #[test]
    fn a_missing_role_is_given_as_a_command() {
        let message = format!(
            "The client 'c' with object id 'o-1' does not have authorization to perform action \
             'Microsoft.MachineLearningServices/workspaces/write' over scope \
             '{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/hub' or the scope is invalid. If access was \
             recently granted, please refresh your credentials."
        );
        let advice = told(Remedy::AssignRole, &message, "");
        let command = format!("--assignee-object-id o-1 --role \"Azure AI Administrator\" --scope \"{GROUP}\";");
        assert!(advice.contains(&command), "{advice}");
    }

    #[test]
    fn a_role_missing_on_a_linked_resource_is_asked_for_there() {
        let storage = format!("{GROUP}/providers/Microsoft.Storage/storageAccounts/st");
        let message = format!(
            "The client 'c' with object id 'o-1' has permission to perform action \
             'Microsoft.MachineLearningServices/workspaces/write' on scope '{GROUP}'; however, it does not have permission \
             to perform action 'Microsoft.Storage/storageAccounts/write' on the linked scope(s) '{storage},{GROUP}' or the \
             linked scope(s) are invalid."
        );
        let advice = told(Remedy::AssignRole, &message, "");
        assert!(advice.contains(&format!("--role \"Storage Account Contributor\" --scope \"{storage}\";")), "{advice}");
    }

    #[test]
    fn a_resource_group_of_an_unlucky_name_is_named_whole() {
        let group = "/subscriptions/s/resourceGroups/providers";
        let workspace = format!("{group}/providers/Microsoft.MachineLearningServices/workspaces/hub");
        let action = "Microsoft.MachineLearningServices/workspaces/write";
        assert_eq!(assigned_at(action, &workspace), group);
        assert_eq!(assigned_at(action, group), group);
    }

    #[test]
    fn each_kind_of_action_has_its_role() {
        for (action, expected) in [
            ("Microsoft.MachineLearningServices/workspaces/connections/write", "Azure AI Administrator"),
            ("Microsoft.MachineLearningServices/locations/workspaceOperationsStatus/read", "Reader"),
            ("Microsoft.MachineLearningServices/register/action", "Contributor"),
            ("Microsoft.Resources/subscriptions/resourceGroups/read", "Reader"),
            ("Microsoft.KeyVault/vaults/write", "Key Vault Contributor"),
            ("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", "Managed Identity Operator"),
            ("Microsoft.Authorization/roleAssignments/write", "Role Based Access Control Administrator"),
            ("Microsoft.ContainerRegistry/registries/read", "Contributor"),
        ] {
            assert_eq!(role(action), expected, "{action}");
        }
    }

    #[test]
    fn the_state_of_operations_is_read_in_the_subscription() {
        let action = "Microsoft.MachineLearningServices/locations/workspaceOperationsStatus/read";
        let scope = "/subscriptions/s/providers/Microsoft.MachineLearningServices/locations/l";
        assert_eq!(assigned_at(action, scope), "/subscriptions/s");
    }

    #[test]
    fn what_does_not_look_like_an_id_gets_into_no_command() {
        let message =
            "The client 'c' with object id 'o' does not have authorization to perform action 'a' over scope '/x; rm'";
        let advice = told(Remedy::AssignRole, message, "");
        assert!(!advice.contains("az ") && !advice.contains("rm"), "{advice}");
    }

    #[test]
    fn a_provider_is_registered_in_the_subscription_of_the_call() {
        let message = "The subscription is not registered to use namespace 'Microsoft.MachineLearningServices'. See https://aka.ms/rps-not-found";
        let advice = told(Remedy::Register, message, &format!("{GROUP}/providers/x/y/z"));
        assert!(
            advice.ends_with("az provider register --namespace Microsoft.MachineLearningServices --subscription s"),
            "{advice}"
        );
    }

    #[test]
    fn a_namespace_leads_nowhere_else() {
        assert_eq!(namespace("to use namespace 'Microsoft.X'"), Some("Microsoft.X"));
        assert_eq!(namespace("to use namespace '../resourceGroups/rg'"), None);
    }

    #[test]
    fn group_and_lock_are_named() {
        let advice = told(Remedy::CreateGroup, "Resource group 'rg-ai' could not be found.", "");
        assert!(advice.contains("rg-ai"), "{advice}");
        let message = format!(
            "The scope '{GROUP}/providers/a/b/c' cannot perform write operation because following scope(s) are locked: \
             '{GROUP}'. Please remove the lock and try again."
        );
        let advice = told(Remedy::Unlock, &message, "");
        assert!(advice.contains(&format!("off {GROUP}:")), "{advice}");
    }
}
