//! The credentials of a connection: which fields each `authType` takes (ARM reference, section 4), said once, for the API
//! server's rules and for the body that is sent.

use std::collections::BTreeMap;

use kube::KubeSchema;
use kube::core::cel::{Message, Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::references::SecretField;

/// How a connection signs in to its target.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum AuthType {
    /// A key of the target's.
    ApiKey,
    /// A storage account's key.
    AccountKey,
    /// A shared access signature.
    #[serde(rename = "SAS")]
    Sas,
    /// A personal access token.
    #[serde(rename = "PAT")]
    Pat,
    /// Keys with names of one's own.
    CustomKeys,
    /// An access key with its id.
    AccessKey,
    /// A user-assigned identity.
    ManagedIdentity,
    /// An application with a secret.
    ServicePrincipal,
    /// A user with a password.
    UsernamePassword,
    /// OAuth 2.0.
    OAuth2,
    /// The caller's own Microsoft Entra identity.
    #[serde(rename = "AAD")]
    Aad,
    /// Not at all.
    None,
}

/// What the `authType` needs. Secret values come from Secrets of the same namespace only.
#[derive(Clone, Debug, Default, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// For `ApiKey` and `AccountKey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretField>,
    /// For `SAS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sas: Option<SecretField>,
    /// For `PAT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pat: Option<SecretField>,
    /// For `CustomKeys`: each name with where its value comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 40))]
    pub keys: Option<BTreeMap<String, SecretField>>,
    /// For `AccessKey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub access_key_id: Option<String>,
    /// For `AccessKey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<SecretField>,
    /// For `ManagedIdentity`, `ServicePrincipal` and `OAuth2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub client_id: Option<String>,
    /// For `ManagedIdentity`: the identity's ARM id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = super::rules::arm_id("Microsoft.ManagedIdentity/userAssignedIdentities", "a user-assigned identity"))]
    pub resource_id: Option<String>,
    /// For `ServicePrincipal` and `OAuth2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretField>,
    /// For `ServicePrincipal` and `OAuth2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub tenant_id: Option<String>,
    /// For `UsernamePassword` and `OAuth2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub username: Option<String>,
    /// For `UsernamePassword` and `OAuth2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretField>,
    /// For `UsernamePassword`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_token: Option<SecretField>,
    /// For `OAuth2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub auth_url: Option<String>,
    /// For `OAuth2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub developer_token: Option<SecretField>,
    /// For `OAuth2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<SecretField>,
}

impl Credentials {
    /// Every secret field that is set, with its place below `credentials` (a JSON pointer without the slash before it).
    #[must_use]
    pub fn secret_fields(&self) -> Vec<(String, &SecretField)> {
        let single = [
            ("key", &self.key),
            ("sas", &self.sas),
            ("pat", &self.pat),
            ("secretAccessKey", &self.secret_access_key),
            ("clientSecret", &self.client_secret),
            ("password", &self.password),
            ("securityToken", &self.security_token),
            ("developerToken", &self.developer_token),
            ("refreshToken", &self.refresh_token),
        ];
        let single = single.into_iter().filter_map(|(place, field)| Some((place.to_owned(), field.as_ref()?)));
        let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
        let custom = self.keys.iter().flatten().map(|(name, field)| (format!("keys/{}", escaped(name)), field));
        single.chain(custom).collect()
    }

    /// Every field that is set and not secret.
    #[must_use]
    pub fn plain_fields(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("accessKeyId", &self.access_key_id),
            ("clientId", &self.client_id),
            ("resourceId", &self.resource_id),
            ("tenantId", &self.tenant_id),
            ("username", &self.username),
            ("authUrl", &self.auth_url),
        ];
        all.into_iter().filter_map(|(place, value)| Some((place, value.as_deref()?))).collect()
    }

    /// Whether a value comes from the Secret of that name.
    #[must_use]
    pub fn names_secret(&self, name: &str) -> bool {
        self.secret_fields().iter().any(|(_, field)| field.value_from.secret_key_ref.name == name)
    }

    /// Whether a value comes from any Secret.
    #[must_use]
    pub fn names_secrets(&self) -> bool {
        !self.secret_fields().is_empty()
    }
}

const FIELDS: &[&str] = &[
    "key",
    "sas",
    "pat",
    "keys",
    "accessKeyId",
    "secretAccessKey",
    "clientId",
    "resourceId",
    "clientSecret",
    "tenantId",
    "username",
    "password",
    "securityToken",
    "authUrl",
    "developerToken",
    "refreshToken",
];

impl AuthType {
    /// The fields that must be there, and those that may be.
    fn fields(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::ApiKey | Self::AccountKey => (&["key"], &[]),
            Self::Sas => (&["sas"], &[]),
            Self::Pat => (&["pat"], &[]),
            Self::CustomKeys => (&["keys"], &[]),
            Self::AccessKey => (&["accessKeyId", "secretAccessKey"], &[]),
            Self::ManagedIdentity => (&["clientId", "resourceId"], &[]),
            Self::ServicePrincipal => (&["clientId", "clientSecret", "tenantId"], &[]),
            Self::UsernamePassword => (&["username", "password"], &["securityToken"]),
            Self::OAuth2 => (
                &["clientId", "clientSecret"],
                &["authUrl", "developerToken", "password", "refreshToken", "tenantId", "username"],
            ),
            Self::Aad | Self::None => (&[], &[]),
        }
    }

    /// The value as Azure spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "ApiKey",
            Self::AccountKey => "AccountKey",
            Self::Sas => "SAS",
            Self::Pat => "PAT",
            Self::CustomKeys => "CustomKeys",
            Self::AccessKey => "AccessKey",
            Self::ManagedIdentity => "ManagedIdentity",
            Self::ServicePrincipal => "ServicePrincipal",
            Self::UsernamePassword => "UsernamePassword",
            Self::OAuth2 => "OAuth2",
            Self::Aad => "AAD",
            Self::None => "None",
        }
    }
}

/// The rule that the credentials are exactly those of one `authType`.
pub(super) fn fit(auth_type: AuthType) -> Rule {
    let name = auth_type.as_str();
    let (required, optional) = auth_type.fields();
    if required.is_empty() {
        return Rule::new(format!("self.authType != '{name}' || !has(self.credentials)"))
            .message(Message::Message(format!("authType {name} takes no credentials: take them out")));
    }
    let needed = required.iter().map(|field| format!("has(self.credentials.{field})"));
    let foreign = FIELDS
        .iter()
        .filter(|field| !required.contains(field) && !optional.contains(field))
        .map(|field| format!("!has(self.credentials.{field})"));
    let all: Vec<String> = needed.chain(foreign).collect();
    let mut message = format!("authType {name} takes exactly credentials.{}", required.join(", credentials."));
    if !optional.is_empty() {
        message = format!("{message}, and if needed {}", optional.join(", "));
    }
    Rule::new(format!("self.authType != '{name}' || (has(self.credentials) && {})", all.join(" && ")))
        .message(Message::Message(message))
}

/// FACT: the `clientId` of `OAuth2` must be a GUID (ARM reference, section 4).
pub(super) fn oauth2_client_id() -> Rule {
    Rule::new(
        "self.authType != 'OAuth2' || !has(self.credentials) || !has(self.credentials.clientId) || self.credentials.clientId.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",
    )
    .message("credentials.clientId must be a GUID where authType is OAuth2")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field() -> SecretField {
        serde_json::from_value(serde_json::json!({"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}})).unwrap()
    }

    #[test]
    fn no_field_is_forgotten_on_the_way_to_azure() {
        let (secret, plain) = (Some(field()), Some("x".to_owned()));
        let all = Credentials {
            key: secret.clone(),
            sas: secret.clone(),
            pat: secret.clone(),
            keys: Some(BTreeMap::from([("a/b".to_owned(), field())])),
            access_key_id: plain.clone(),
            secret_access_key: secret.clone(),
            client_id: plain.clone(),
            resource_id: plain.clone(),
            client_secret: secret.clone(),
            tenant_id: plain.clone(),
            username: plain.clone(),
            password: secret.clone(),
            security_token: secret.clone(),
            auth_url: plain,
            developer_token: secret.clone(),
            refresh_token: secret,
        };
        let secret = all.secret_fields().into_iter().map(|(place, _)| place.split('/').next().unwrap().to_owned());
        let mut sent: Vec<String> =
            secret.chain(all.plain_fields().into_iter().map(|(place, _)| place.to_owned())).collect();
        let mut expected: Vec<String> = FIELDS.iter().map(|field| (*field).to_owned()).collect();
        sent.sort();
        expected.sort();
        assert_eq!(sent, expected);
        assert!(all.secret_fields().iter().any(|(place, _)| place == "keys/a~1b"));
    }
}
