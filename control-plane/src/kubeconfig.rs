use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

/// JSON is YAML too, and needs no care with quotes.
pub(crate) fn yaml(server: &str, ca_pem: &str, user: &str, token: &str) -> String {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "control-plane",
            "cluster": {"server": server, "certificate-authority-data": BASE64_STANDARD.encode(ca_pem)},
        }],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{
            "name": "control-plane",
            "context": {"cluster": "control-plane", "user": user, "namespace": "default"},
        }],
        "current-context": "control-plane",
    });
    format!("{config:#}\n")
}
