"""The official Azure SDK for Python against the emulator.

Endpoint, certificate authority and credential are all that differs from real use: nothing of the SDK is replaced.
The management client of 2025-12-01 is the one that azure-ai-ml brings along; azure-ai-ml itself does what needs no other
Azure service than ARM (its creation of a workspace submits a template deployment, so the hub is created by the client).
"""

import json
import os
import ssl
import urllib.request

from azure.ai.ml import MLClient
from azure.ai.ml._restclient.arm_ml_service import MachineLearningServicesMgmtClient, models
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential

ENDPOINT = os.environ["ARM_ENDPOINT"]
CA = os.environ["CA_BUNDLE"]
SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
TENANT = "00000000-0000-4000-8000-00000000000a"
GROUP = "rg"
PROVIDERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
HUB, PROJECT, CONNECTION = "sdk-hub", "sdk-project", "sdk-connection"


def credential():
    return ClientSecretCredential(
        TENANT,
        os.environ["SDK_CLIENT_ID"],
        os.environ["SDK_CLIENT_SECRET"],
        authority=ENDPOINT,
        # As for every authority that the public cloud does not know of, such as that of a private cloud.
        disable_instance_discovery=True,
        connection_verify=CA,
    )


def management():
    return MachineLearningServicesMgmtClient(
        credential(),
        SUBSCRIPTION,
        base_url=ENDPOINT,
        credential_scopes=["https://management.azure.com/.default"],
        connection_verify=CA,
        polling_interval=0.2,
    )


def say(what):
    print(f"ok  {what}", flush=True)


def fail_next(outcome, code, message):
    """Lets the next operation of the emulator end badly."""
    plan = json.dumps({"method": "PUT", "path": "/workspaces/", "outcome": outcome, "code": code, "message": message})
    url = f"{ENDPOINT}/_emulator/operations/fail-next"
    request = urllib.request.Request(url, plan.encode(), {"Content-Type": "application/json"}, method="POST")
    urllib.request.urlopen(request, context=ssl.create_default_context(cafile=CA), timeout=10).close()


def create_hub(client):
    hub = client.workspaces.begin_create_or_update(
        GROUP,
        HUB,
        models.Workspace(
            location="eastus",
            kind="Hub",
            identity=models.ManagedServiceIdentity(type="SystemAssigned"),
            tags={"made-by": "sdk"},
            properties=models.WorkspaceProperties(
                friendly_name="Hub of the SDK",
                storage_account=f"{PROVIDERS}/Microsoft.Storage/storageAccounts/store",
                key_vault=f"{PROVIDERS}/Microsoft.KeyVault/vaults/vault",
                managed_network=models.ManagedNetworkSettings(isolation_mode="AllowOnlyApprovedOutbound"),
            ),
        ),
    ).result()
    assert hub.properties.provisioning_state == "Succeeded", hub
    assert hub.identity.principal_id, hub
    say("a hub is created and polled")
    return hub


def create_project(client, hub):
    project = client.workspaces.begin_create_or_update(
        GROUP,
        PROJECT,
        models.Workspace(
            location="eastus",
            kind="Project",
            identity=models.ManagedServiceIdentity(type="SystemAssigned"),
            properties=models.WorkspaceProperties(friendly_name="Project", hub_resource_id=hub.id),
        ),
    ).result()
    assert project.properties.hub_resource_id == hub.id, project
    names = sorted(it.name for it in client.workspaces.list_by_resource_group(GROUP))
    assert names == [HUB, PROJECT], names
    assert [it.name for it in client.workspaces.list_by_subscription(kind="project")] == [PROJECT]
    stores = [it.name for it in client.datastores.list(GROUP, PROJECT)]
    assert "workspaceblobstore" in stores, stores
    say("a project is created, and lists follow their pages")


def update(client):
    changed = client.workspaces.begin_update(
        GROUP,
        HUB,
        models.WorkspaceUpdateParameters(
            tags={"made-by": "sdk", "changed": "yes"},
            properties=models.WorkspacePropertiesUpdateParameters(description="changed"),
        ),
    ).result()
    assert changed.properties.description == "changed" and changed.tags["changed"] == "yes", changed
    change = models.WorkspacePropertiesUpdateParameters(friendly_name="Project, changed")
    client.workspaces.begin_update(GROUP, PROJECT, models.WorkspaceUpdateParameters(properties=change)).result()
    project = client.workspaces.get(GROUP, PROJECT)
    assert project.properties.friendly_name == "Project, changed", project
    say("a hub and a project are updated")


def operations_that_end_badly(client):
    """What Azure says of an operation that failed or was cancelled reaches the caller as an exception."""
    workspace = lambda text: models.Workspace(
        location="eastus",
        kind="Project",
        properties=models.WorkspaceProperties(
            friendly_name=text,
            hub_resource_id=f"{PROVIDERS}/Microsoft.MachineLearningServices/workspaces/{HUB}",
        ),
    )
    for outcome in ["Failed", "Canceled"]:
        message = f"the emulator was told to end as {outcome}"
        fail_next(outcome, "SomethingBroke", message)
        poller = client.workspaces.begin_create_or_update(GROUP, "sdk-unlucky", workspace(outcome))
        try:
            poller.result()
            raise AssertionError(f"an operation that ended as {outcome} was taken for a success")
        except HttpResponseError as error:
            assert error.error.code == "SomethingBroke" and message in str(error), error
        assert poller.status() == outcome, poller.status()
    client.workspaces.begin_delete(GROUP, "sdk-unlucky").result()
    say("a failed and a cancelled operation are told by the poller")


def connections(client):
    properties = models.CustomKeysWorkspaceConnectionProperties(
        category="CustomKeys",
        target="https://example.org",
        credentials=models.CustomKeys(keys_property={"first": "s3cr3t"}),
        metadata={"note": "kept"},
    )
    body = models.WorkspaceConnectionPropertiesV2BasicResource(properties=properties)
    calls = client.workspace_connections
    made = calls.create(GROUP, PROJECT, CONNECTION, body)
    assert made.properties.metadata["note"] == "kept", made
    assert made.properties.credentials is None, made
    secrets = calls.list_secrets(GROUP, PROJECT, CONNECTION)
    assert secrets.properties.credentials.keys_property == {"first": "s3cr3t"}, secrets
    properties.target = "https://example.com"
    again = calls.create(GROUP, PROJECT, CONNECTION, body)
    assert again.properties.target == "https://example.com", again
    change = models.CustomKeysWorkspaceConnectionProperties(metadata={"note": "changed"})
    calls.update(GROUP, PROJECT, CONNECTION, models.WorkspaceConnectionUpdateParameter(properties=change))
    read = calls.get(GROUP, PROJECT, CONNECTION)
    assert (read.properties.metadata["note"], read.properties.target) == ("changed", "https://example.com"), read
    other = models.AADAuthTypeWorkspaceConnectionProperties(category="AIServices", target="https://example.net")
    other = models.WorkspaceConnectionPropertiesV2BasicResource(properties=other)
    calls.create(GROUP, PROJECT, "sdk-other", other)
    # A page has one entry, so that this follows a link.
    assert [it.name for it in calls.list(GROUP, PROJECT)] == [CONNECTION, "sdk-other"]
    assert [it.name for it in calls.list(GROUP, PROJECT, category="AIServices")] == ["sdk-other"]
    calls.delete(GROUP, PROJECT, "sdk-other")
    assert [it.name for it in calls.list(GROUP, PROJECT)] == [CONNECTION]
    say("connections are created, read, listed, updated and deleted")


def outbound_rules(client):
    storage = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/other"
    endpoint = models.PrivateEndpointDestination(
        service_resource_id=storage, subresource_target="blob", spark_enabled=False
    )
    tag = lambda ports: models.ServiceTagDestination(service_tag="DataFactory", protocol="TCP", port_ranges=ports)
    wanted = {
        "sdk-fqdn": (
            models.FqdnOutboundRule(destination="pypi.org"),
            models.FqdnOutboundRule(destination="files.pythonhosted.org"),
        ),
        "sdk-endpoint": (
            models.PrivateEndpointOutboundRule(destination=endpoint),
            models.PrivateEndpointOutboundRule(destination=endpoint, fqdns=["other.blob.core.windows.net"]),
        ),
        "sdk-tag": (
            models.ServiceTagOutboundRule(destination=tag("443")),
            models.ServiceTagOutboundRule(destination=tag("80, 443")),
        ),
    }
    rules = client.managed_network_settings_rule
    put = lambda name, rule: rules.begin_create_or_update(
        GROUP, HUB, name, models.OutboundRuleBasicResource(properties=rule)
    ).result()
    for name, (first, _) in wanted.items():
        made = put(name, first).properties
        assert (type(made), made.destination) == (type(first), first.destination), made
        assert (made.status, made.category) == ("Inactive", "UserDefined"), made
    status = client.managed_network_provisions.begin_provision_managed_network(
        GROUP, HUB, models.ManagedNetworkProvisionOptions(include_spark=False)
    ).result()
    assert status.status == "Active", status
    for name, (_, second) in wanted.items():
        put(name, second)
        read = rules.get(GROUP, HUB, name).properties
        assert (read.status, read.destination) == ("Active", second.destination), read
    assert rules.get(GROUP, HUB, "sdk-endpoint").properties.fqdns == ["other.blob.core.windows.net"]
    by_category = {it.name: it.properties.category for it in rules.list(GROUP, HUB)}
    assert all(by_category[name] == "UserDefined" for name in wanted), by_category
    assert "Required" in by_category.values(), by_category
    for name in wanted:
        rules.begin_delete(GROUP, HUB, name).result()
    assert not set(wanted) & {it.name for it in rules.list(GROUP, HUB)}
    say("outbound rules of all three types are created, provisioned, updated, listed and deleted")


def high_level():
    """azure-ai-ml itself, told of the emulator as of any other cloud."""
    cloud = {
        "cloud": "emulator",
        "cloud_metadata": {
            "resource_manager": ENDPOINT,
            "active_directory": ENDPOINT,
            "azure_portal": ENDPOINT,
            "aml_resource_id": "https://management.azure.com",
            "storage_endpoint": "core.windows.net",
            "registry_discovery_endpoint": ENDPOINT,
        },
    }
    client = MLClient(credential(), SUBSCRIPTION, GROUP, PROJECT, enable_telemetry=False, connection_verify=CA, **cloud)
    assert client.workspaces.get(HUB).display_name == "Hub of the SDK"
    assert sorted(it.name for it in client.workspaces.list()) == [HUB, PROJECT]
    assert [it.name for it in client.connections.list()] == [CONNECTION]
    say("azure-ai-ml reads the hub, the project and the connection")


def delete(client):
    client.workspace_connections.delete(GROUP, PROJECT, CONNECTION)
    try:
        client.workspace_connections.get(GROUP, PROJECT, CONNECTION)
        raise AssertionError("the connection is still there")
    except ResourceNotFoundError:
        pass
    try:
        client.workspaces.begin_delete(GROUP, HUB).result()
        raise AssertionError("a hub with a project was deleted")
    except HttpResponseError as error:
        assert error.status_code == 400 and "AI hub still has associated AI projects" in str(error), error
    client.workspaces.begin_delete(GROUP, PROJECT).result()
    client.workspaces.begin_delete(GROUP, HUB).result()
    assert list(client.workspaces.list_by_subscription()) == []
    say("everything is deleted, the hub only after its project")


def main():
    client = management()
    hub = create_hub(client)
    create_project(client, hub)
    update(client)
    operations_that_end_badly(client)
    connections(client)
    outbound_rules(client)
    high_level()
    delete(client)


main()
