//! Which containers and file shares a project has: as its datastores name them; where none does, by the documented pattern
//! (ARM reference, section 5).

use serde_json::Value;

use crate::api::status::{Container, ContainerSource};

/// The datastores that Azure makes with each workspace, with what follows the workspace id in the documented pattern.
const DOCUMENTED: &[(&str, &str, &str)] = &[
    ("workspaceartifactstore", "AzureBlob", "azureml"),
    ("workspaceblobstore", "AzureBlob", "blobstore"),
    ("workspaceworkingdirectory", "AzureFile", "code"),
    ("workspacefilestore", "AzureFile", "file"),
];

/// The containers of a project, in the order of their datastores' names.
#[must_use]
pub fn of_project(datastores: &[Value], workspace_id: &str, storage_account: Option<&str>) -> Vec<Container> {
    let account = storage_account.and_then(|id| id.rsplit('/').next());
    let mut containers: Vec<Container> = datastores.iter().filter_map(|datastore| named(datastore, account)).collect();
    for (datastore, type_, suffix) in DOCUMENTED {
        if !containers.iter().any(|container| container.datastore == *datastore) {
            containers.push(Container {
                name: format!("{}-{suffix}", workspace_id.to_ascii_lowercase()),
                datastore: (*datastore).to_owned(),
                type_: (*type_).to_owned(),
                source: ContainerSource::Derived,
            });
        }
    }
    containers.sort_by(|a, b| a.datastore.cmp(&b.datastore));
    containers
}

/// What one datastore names, where that is in the project's own storage account: users add datastores of other accounts.
fn named(datastore: &Value, account: Option<&str>) -> Option<Container> {
    let properties = &datastore["properties"];
    let of_another = match (properties["accountName"].as_str(), account) {
        (Some(theirs), Some(ours)) => !theirs.eq_ignore_ascii_case(ours),
        _ => false,
    };
    let name = ["containerName", "fileShareName", "filesystem"].iter().find_map(|field| properties[*field].as_str())?;
    (!of_another && !name.is_empty()).then(|| Container {
        name: name.to_owned(),
        datastore: datastore["name"].as_str().unwrap_or_default().to_owned(),
        type_: properties["datastoreType"].as_str().unwrap_or_default().to_owned(),
        source: ContainerSource::Datastore,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0000000A-0000-4000-8000-000000000004";
    const ACCOUNT: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/St";

    fn blob(name: &str, account: &str, container: &str) -> Value {
        json!({"name": name, "properties": {"datastoreType": "AzureBlob", "accountName": account, "containerName": container}})
    }

    #[test]
    fn what_datastores_name_is_published_whatever_the_pattern() {
        let datastores = [blob("workspaceblobstore", "st", "0000000a-azureml-blobstore"), blob("mine", "st", "extra")];
        let containers = of_project(&datastores, ID, Some(ACCOUNT));
        let named: Vec<(&str, &str)> = containers
            .iter()
            .filter(|container| container.source == ContainerSource::Datastore)
            .map(|container| (container.datastore.as_str(), container.name.as_str()))
            .collect();
        assert_eq!(named, [("mine", "extra"), ("workspaceblobstore", "0000000a-azureml-blobstore")]);
    }

    #[test]
    fn what_no_datastore_names_is_derived_and_says_so() {
        let containers = of_project(&[], ID, Some(ACCOUNT));
        let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
        let id = ID.to_ascii_lowercase();
        assert_eq!(
            names,
            [format!("{id}-azureml"), format!("{id}-blobstore"), format!("{id}-file"), format!("{id}-code")]
        );
        assert!(containers.iter().all(|container| container.source == ContainerSource::Derived));
    }

    #[test]
    fn datastores_of_other_accounts_are_not_the_projects_containers() {
        let containers = of_project(&[blob("theirs", "elsewhere", "c")], ID, Some(ACCOUNT));
        assert!(containers.iter().all(|container| container.datastore != "theirs"));
    }
}
