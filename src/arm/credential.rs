//! Signing in: which of `azure_identity`'s credentials is used, in which cloud.

use std::path::PathBuf;
use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use secrecy::{ExposeSecret, SecretString};

/// A cloud, or one's own endpoints (ARM reference, section 11).
#[derive(Clone, Debug)]
pub struct Cloud {
    /// Address of ARM.
    pub arm_endpoint: String,
    /// What tokens for ARM are issued for.
    pub arm_audience: String,
    /// Where tokens are issued.
    pub authority_host: String,
    /// Where people open a workspace in a browser.
    pub studio: &'static str,
}

/// How the operator signs in. Secrets are redacted.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// With the ServiceAccount's token, exchanged for one of Azure's.
    WorkloadIdentity {
        /// Of the application or managed identity.
        client_id: String,
        /// Of the tenant.
        tenant_id: String,
        /// Read again whenever a token is needed.
        token_file: PathBuf,
    },
    /// With the identity of the machine.
    ManagedIdentity {
        /// Of a user-assigned identity; the system-assigned one where absent.
        client_id: Option<String>,
    },
    /// With an application's secret.
    ClientSecret {
        /// Of the application.
        client_id: String,
        /// Of the tenant.
        tenant_id: String,
        /// Never printed.
        secret: SecretString,
    },
    /// With what `az login` left on this machine.
    AzureCli,
}

impl SignIn {
    /// What the credential is called in flags and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::WorkloadIdentity { .. } => "workload-identity",
            Self::ManagedIdentity { .. } => "managed-identity",
            Self::ClientSecret { .. } => "client-secret",
            Self::AzureCli => "azure-cli",
        }
    }
}

/// The credential that gives tokens, renewed by itself.
///
/// # Errors
/// Where what it needs is missing or malformed, such as the token file.
pub fn credential(
    sign_in: &SignIn,
    cloud: &Cloud,
    http: reqwest::Client,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let mut custom = CustomConfiguration::default();
    custom.authority_host.clone_from(&cloud.authority_host);
    let client_options = ClientOptions {
        transport: Some(Transport::new(Arc::new(http))),
        cloud: Some(Arc::new(CloudConfiguration::from(custom))),
        // The engine tries again, and tells meanwhile what stands in the way.
        retry: RetryOptions::none(),
        ..ClientOptions::default()
    };
    Ok(match sign_in {
        SignIn::WorkloadIdentity { client_id, tenant_id, token_file } => {
            WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                client_id: Some(client_id.clone()),
                tenant_id: Some(tenant_id.clone()),
                token_file_path: Some(token_file.clone()),
            }))?
        }
        SignIn::ManagedIdentity { client_id } => {
            ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                client_options,
            }))?
        }
        SignIn::ClientSecret { client_id, tenant_id, secret } => ClientSecretCredential::new(
            tenant_id,
            client_id.clone(),
            Secret::new(secret.expose_secret().to_owned()),
            Some(ClientSecretCredentialOptions { client_options }),
        )?,
        SignIn::AzureCli => AzureCliCredential::new(None)?,
    })
}
