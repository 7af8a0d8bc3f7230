//! What a person can do about a sign-in that failed: by the credential in use and by Entra's number (ARM reference,
//! section 11).

use super::network;
use crate::arm::credential::{Cloud, SignIn};

/// The advice. `told` is what the credential says.
pub(super) fn advice(sign_in: &SignIn, cloud: &Cloud, told: &str, reached: bool) -> String {
    if told.contains("doesn't use HTTPS") {
        return "give --authority-host (AZURE_AUTHORITY_HOST) an https address and restart the operator".to_owned();
    }
    if !reached {
        return match sign_in {
            SignIn::ManagedIdentity { .. } => "let the operator reach the machine's identity endpoint \
                 (http://169.254.169.254 or IDENTITY_ENDPOINT): network policy; a proxy must leave it out (NO_PROXY)"
                .to_owned(),
            _ => network::advice(told, "--authority-host"),
        };
    }
    let (client, tenant) = ids(sign_in);
    match number(told) {
        Some(90_002) => format!(
            "there is no tenant {tenant} at {}: check --tenant-id (AZURE_TENANT_ID) and --azure-cloud",
            cloud.authority_host
        ),
        Some(700_016) => {
            format!("tenant {tenant} has no application {client}: check --client-id (AZURE_CLIENT_ID) and --tenant-id")
        }
        Some(7_000_215) => format!(
            "AZURE_CLIENT_SECRET is not a secret of application {client}: set it to the secret's value (not its id) and \
             restart the operator"
        ),
        Some(7_000_222) => format!(
            "the secret has expired: az ad app credential reset --append --id {client}, set AZURE_CLIENT_SECRET and restart the \
             operator"
        ),
        Some(70_021 | 70_025) => federate(client, "issuer, subject and audience of the ServiceAccount's token"),
        Some(700_211) => federate(client, "the issuer that the message names"),
        Some(700_212) => federate(client, "the audience api://AzureADTokenExchange"),
        Some(700_213) => federate(client, "the subject that the message names"),
        Some(700_024) => format!(
            "the token in {} has expired, or clocks differ: mount it as a projected ServiceAccount token, which the kubelet \
             renews; it is read again, without a restart",
            token_file(sign_in)
        ),
        Some(50_013 | 50_027) => format!(
            "the token in {} is not signed by the issuer that application {client} trusts: mount the ServiceAccount's \
             token, and check the issuer of the federated credential",
            token_file(sign_in)
        ),
        Some(500_011) => format!(
            "tenant {tenant} does not know ARM as {}: check --azure-cloud or --arm-audience",
            cloud.arm_audience
        ),
        Some(53_003) => format!("a Conditional Access policy of tenant {tenant} keeps {client} out: have it changed"),
        _ => general(sign_in),
    }
}

fn federate(client: &str, what: &str) -> String {
    format!(
        "give {client} a federated credential with {what}: az identity federated-credential create, or az ad app \
         federated-credential create (subject system:serviceaccount:<namespace>:<name>)"
    )
}

fn general(sign_in: &SignIn) -> String {
    match sign_in {
        SignIn::WorkloadIdentity { client_id, tenant_id, token_file } => format!(
            "check --client-id {client_id}, --tenant-id {tenant_id} and the token in {} (pod label \
             azure.workload.identity/use)",
            token_file.display()
        ),
        SignIn::ManagedIdentity { client_id: Some(client_id) } => format!(
            "assign the managed identity with client id {client_id} to the machine (az vmss identity assign, az vm identity \
             assign, az webapp identity assign), or check --client-id"
        ),
        SignIn::ManagedIdentity { client_id: None } => {
            "give the machine a system-assigned identity, or name a user-assigned one with --client-id".to_owned()
        }
        SignIn::ClientSecret { client_id, tenant_id, .. } => {
            format!("check --client-id {client_id}, --tenant-id {tenant_id} and AZURE_CLIENT_SECRET")
        }
        SignIn::AzureCli => "install the Azure CLI and run az login as the user that the operator runs as".to_owned(),
    }
}

fn ids(sign_in: &SignIn) -> (&str, &str) {
    match sign_in {
        SignIn::WorkloadIdentity { client_id, tenant_id, .. } | SignIn::ClientSecret { client_id, tenant_id, .. } => {
            (client_id, tenant_id)
        }
        SignIn::ManagedIdentity { client_id: Some(client_id) } => (client_id, "of the machine"),
        SignIn::ManagedIdentity { client_id: None } => ("of the machine", "of the machine"),
        SignIn::AzureCli => ("of az login", "of az login"),
    }
}

fn token_file(sign_in: &SignIn) -> String {
    match sign_in {
        SignIn::WorkloadIdentity { token_file, .. } => token_file.display().to_string(),
        _ => "use".to_owned(),
    }
}

/// What a credential says without what is another one each time, which would make an old failure look like a new one, and
/// without the library's link.
pub(super) fn told(message: &str) -> String {
    let message = message.split("Trace ID").next().unwrap_or_default();
    let mut words = message.split_whitespace();
    let mut told = Vec::new();
    while let Some(word) = words.next() {
        if word == "To" && words.clone().next() == Some("troubleshoot,") {
            let _link = words.nth(2);
        } else {
            told.push(word);
        }
    }
    told.join(" ")
}

/// The number after `AADSTS`.
fn number(told: &str) -> Option<u32> {
    let after = &told[told.find("AADSTS")? + "AADSTS".len()..];
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cloud() -> Cloud {
        Cloud {
            arm_endpoint: "https://arm".to_owned(),
            arm_audience: "https://audience".to_owned(),
            authority_host: "https://login".to_owned(),
            studio: "https://ai.azure.com",
        }
    }

    fn workload() -> SignIn {
        SignIn::WorkloadIdentity { client_id: "c-1".into(), tenant_id: "t-1".into(), token_file: "/var/token".into() }
    }

    fn secret() -> SignIn {
        SignIn::ClientSecret { client_id: "c-1".into(), tenant_id: "t-1".into(), secret: "hush".to_owned().into() }
    }

    #[test]
    fn entras_number_decides() {
        for (number, parts) in [
            (90_002, ["t-1", "--tenant-id", "https://login"]),
            (700_016, ["c-1", "t-1", "--client-id"]),
            (70_021, ["c-1", "federated-credential create", "subject"]),
            (70_025, ["c-1", "federated-credential create", "issuer"]),
            (700_211, ["c-1", "federated-credential create", "the issuer"]),
            (700_212, ["c-1", "federated-credential create", "api://AzureADTokenExchange"]),
            (700_213, ["c-1", "federated-credential create", "the subject"]),
            (700_024, ["/var/token", "expired", "projected"]),
            (50_013, ["/var/token", "signed", "issuer"]),
            (500_011, ["t-1", "https://audience", "--azure-cloud"]),
            (53_003, ["t-1", "c-1", "Conditional Access"]),
            (1, ["c-1", "t-1", "/var/token"]),
        ] {
            let advice = advice(&workload(), &cloud(), &format!("failed. AADSTS{number}: some words."), true);
            for part in parts {
                assert!(advice.contains(part), "{number}: {advice}");
            }
        }
    }

    #[test]
    fn each_credential_has_its_own_advice() {
        let machine = |client_id: Option<&str>| SignIn::ManagedIdentity { client_id: client_id.map(str::to_owned) };
        for (sign_in, part) in [
            (secret(), "AZURE_CLIENT_SECRET"),
            (machine(Some("c-2")), "c-2"),
            (machine(None), "system-assigned"),
            (SignIn::AzureCli, "az login"),
        ] {
            assert!(advice(&sign_in, &cloud(), "no", true).contains(part), "{sign_in:?}");
        }
        assert!(advice(&secret(), &cloud(), "AADSTS7000215: no", true).contains("not its id"));
        assert!(advice(&secret(), &cloud(), "AADSTS7000222: no", true).contains("expired"));
        assert!(!advice(&secret(), &cloud(), "no", true).contains("hush"));
    }

    #[test]
    fn what_is_told_is_the_same_each_time() {
        let entra = "Credential failed. AADSTS700016: not found. Trace ID: 1 Correlation ID: 2\nTo troubleshoot, visit https://x";
        assert_eq!(told(entra), "Credential failed. AADSTS700016: not found.");
        let network =
            "Credential failed. no request\nTo troubleshoot, visit https://x#y: error sending request: no route";
        assert_eq!(told(network), "Credential failed. no request error sending request: no route");
    }

    #[test]
    fn who_was_not_reached_refused_nothing() {
        let told = "error sending request: invalid peer certificate: UnknownIssuer";
        assert!(advice(&workload(), &cloud(), told, false).contains("--ca-bundle"));
        let machine = SignIn::ManagedIdentity { client_id: None };
        assert!(advice(&machine, &cloud(), "timed out", false).contains("169.254.169.254"));
    }
}
