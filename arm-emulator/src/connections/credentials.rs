//! Which credentials belong to which way of authentication (ARM reference, section 4).

use serde_json::Value;
use uuid::Uuid;

/// A row of the table: the fields that must be there and those that may be.
struct Row {
    auth_type: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
}

const ROWS: [Row; 12] = [
    Row { auth_type: "ApiKey", required: &["key"], optional: &[] },
    Row { auth_type: "AccountKey", required: &["key"], optional: &[] },
    Row { auth_type: "SAS", required: &["sas"], optional: &[] },
    Row { auth_type: "PAT", required: &["pat"], optional: &[] },
    Row { auth_type: "CustomKeys", required: &["keys"], optional: &[] },
    Row { auth_type: "AccessKey", required: &["accessKeyId", "secretAccessKey"], optional: &[] },
    Row { auth_type: "ManagedIdentity", required: &["clientId", "resourceId"], optional: &[] },
    Row { auth_type: "ServicePrincipal", required: &["clientId", "clientSecret", "tenantId"], optional: &[] },
    Row { auth_type: "UsernamePassword", required: &["username", "password"], optional: &["securityToken"] },
    Row {
        auth_type: "OAuth2",
        required: &[],
        optional: &[
            "authUrl",
            "clientId",
            "clientSecret",
            "developerToken",
            "password",
            "refreshToken",
            "tenantId",
            "username",
        ],
    },
    Row { auth_type: "AAD", required: &[], optional: &[] },
    Row { auth_type: "None", required: &[], optional: &[] },
];

/// The service's spelling of a way of authentication, if it knows it.
pub(super) fn auth_type(sent: &str) -> Option<&'static str> {
    ROWS.iter().map(|row| row.auth_type).find(|known| known.eq_ignore_ascii_case(sent))
}

/// Whether connections of this kind have credentials at all.
pub(super) fn has_credentials(auth_type: &str) -> bool {
    !matches!(auth_type, "AAD" | "None")
}

/// Checks that the credentials are those of the kind. Errors name fields, never what stands in them.
pub(super) fn check(auth_type: &str, credentials: &Value) -> Result<(), String> {
    let Some(row) = ROWS.iter().find(|row| row.auth_type == auth_type) else {
        return Err(format!("Unknown authType '{auth_type}'."));
    };
    if !has_credentials(auth_type) {
        return match credentials {
            Value::Null => Ok(()),
            Value::Object(fields) if fields.is_empty() => Ok(()),
            _ => Err(format!("Connections of authType {auth_type} have no credentials.")),
        };
    }
    let Some(fields) = credentials.as_object() else {
        return Err(format!("Connections of authType {auth_type} need credentials."));
    };
    if let Some(missing) = row.required.iter().find(|name| fields.get(**name).is_none_or(is_empty)) {
        return Err(format!("The credentials of authType {auth_type} need '{missing}'."));
    }
    let known = |name: &str| row.required.iter().chain(row.optional).any(|known| *known == name);
    if let Some(unknown) = fields.keys().find(|name| !known(name)) {
        return Err(format!("The credentials of authType {auth_type} have no '{unknown}'."));
    }
    for (name, value) in fields {
        let fits = match (auth_type, name.as_str()) {
            ("CustomKeys", "keys") => {
                value.as_object().is_some_and(|keys| keys.values().all(|key| key.is_string() || key.is_null()))
            }
            ("OAuth2", "clientId") => value.is_null() || value.as_str().is_some_and(|id| Uuid::parse_str(id).is_ok()),
            _ => value.is_string() || value.is_null(),
        };
        if !fits {
            return Err(format!("'{name}' of the credentials of authType {auth_type} is not of the right form."));
        }
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_row_takes_its_own_fields() {
        let rows = [
            ("ApiKey", json!({"key": "s"})),
            ("AccountKey", json!({"key": "s"})),
            ("SAS", json!({"sas": "s"})),
            ("PAT", json!({"pat": "s"})),
            ("CustomKeys", json!({"keys": {"a": "s", "b": "s"}})),
            ("AccessKey", json!({"accessKeyId": "i", "secretAccessKey": "s"})),
            ("ManagedIdentity", json!({"clientId": "c", "resourceId": "r"})),
            ("ServicePrincipal", json!({"clientId": "c", "clientSecret": "s", "tenantId": "t"})),
            ("UsernamePassword", json!({"username": "u", "password": "s"})),
            ("UsernamePassword", json!({"username": "u", "password": "s", "securityToken": "s"})),
            ("OAuth2", json!({"clientId": "00000000-0000-4000-8000-000000000001", "refreshToken": "s"})),
            ("AAD", Value::Null),
            ("None", Value::Null),
        ];
        for (auth_type, credentials) in rows {
            assert_eq!(check(auth_type, &credentials), Ok(()), "{auth_type}");
        }
    }

    #[test]
    fn credentials_of_another_row_are_refused() {
        let rows = [
            ("ApiKey", json!({"pat": "s"})),
            ("ApiKey", json!({"key": "s", "pat": "s"})),
            ("ApiKey", json!({"key": 7})),
            ("ApiKey", Value::Null),
            ("CustomKeys", json!({"a": "s"})),
            ("CustomKeys", json!({"keys": {"a": 1}})),
            ("AccessKey", json!({"accessKeyId": "i"})),
            ("AAD", json!({"key": "s"})),
            ("OAuth2", json!({"clientId": "not-a-guid"})),
        ];
        for (auth_type, credentials) in rows {
            assert!(check(auth_type, &credentials).is_err(), "{auth_type} {credentials}");
        }
    }
}
