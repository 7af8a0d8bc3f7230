//! An emulator with someone signed in.

use std::time::Duration;

use arm_emulator::{Config, Credential, Emulator, Identity, Limits, Settings, Timings};
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};

pub const SUBSCRIPTION: &str = arm_emulator::DEFAULT_SUBSCRIPTION;
pub const CLIENT: &str = "11111111-0000-4000-8000-000000000001";
pub const SECRET: &str = "a client secret";
pub const VERSION: &str = "2025-12-01";

pub struct Session {
    pub emulator: Emulator,
    pub http: Client,
    pub token: String,
}

pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}")).to_str().unwrap()
    }

    pub fn code(&self) -> String {
        self.body()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn message(&self) -> String {
        self.body()["error"]["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// Everything at once, and no throttling.
pub fn config() -> Config {
    Config {
        identities: vec![Identity { client_id: CLIENT.to_owned(), credential: Credential::Secret(SECRET.to_owned()) }],
        settings: Settings { timings: Timings::instant(), ..Settings::default() },
        limits: Limits::generous(),
        // Many tests send on purpose what the schemas would refuse first.
        schemas: None,
        ..Config::default()
    }
}

impl Session {
    pub async fn start() -> Self {
        Self::with(config()).await
    }

    pub async fn with(config: Config) -> Self {
        let emulator = Emulator::start(config).await.unwrap();
        let http = client(&emulator);
        let mut session = Self { emulator, http, token: String::new() };
        let reply = session.sign_in(&[("client_id", CLIENT), ("client_secret", SECRET)]).await;
        reply.body()["access_token"].as_str().unwrap().clone_into(&mut session.token);
        session
    }

    /// Asks for a token, with the fields that every such request has.
    pub async fn sign_in(&self, fields: &[(&str, &str)]) -> Reply {
        let mut form = vec![("grant_type", "client_credentials"), ("scope", "https://management.azure.com/.default")];
        form.retain(|(name, _)| !fields.iter().any(|(other, _)| other == name));
        form.extend(fields);
        self.token_request(self.emulator.tenant_id(), &form).await
    }

    pub async fn token_request(&self, tenant: &str, form: &[(&str, &str)]) -> Reply {
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.emulator.endpoint());
        reply(self.http.post(url).form(form)).await
    }

    /// A request to ARM with the version, unless the path has a query of its own.
    pub async fn arm(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let query = if path.contains('?') { String::new() } else { format!("?api-version={VERSION}") };
        self.url(method, &format!("{}{path}{query}", self.emulator.endpoint()), body).await
    }

    pub async fn url(&self, method: &str, url: &str, body: Option<Value>) -> Reply {
        let mut request =
            self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        reply(request).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.arm("GET", path, None).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.arm("PUT", path, Some(body)).await
    }

    /// A PUT that must be accepted.
    pub async fn accepted(&self, path: &str, body: Value) {
        let reply = self.put(path, body).await;
        assert_eq!(reply.status, 202, "{}", reply.text);
    }

    pub async fn control(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let url = format!("{}/_emulator/{path}", self.emulator.endpoint());
        let mut request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        reply(request).await
    }

    /// A hub called `hub` with a project called `project`.
    pub async fn hub_and_project(&self) -> (String, String) {
        let (hub, project) = (workspace("hub"), workspace("project"));
        self.accepted(&hub, hub_body()).await;
        self.accepted(&project, project_body(&hub)).await;
        (hub, project)
    }
}

pub fn client(emulator: &Emulator) -> Client {
    let certificate = Certificate::from_pem(emulator.ca_pem().as_bytes()).unwrap();
    Client::builder().tls_certs_only([certificate]).timeout(Duration::from_secs(20)).build().unwrap()
}

pub async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    Reply {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

pub fn workspace(name: &str) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/{name}"
    )
}

pub fn hub_body() -> Value {
    let of = |provider: &str| format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/{provider}");
    json!({
        "location": "eastus",
        "kind": "Hub",
        "identity": {"type": "SystemAssigned"},
        "tags": {"team": "a"},
        "properties": {
            "friendlyName": "The hub",
            "storageAccount": of("Microsoft.Storage/storageAccounts/store"),
            "keyVault": of("Microsoft.KeyVault/vaults/vault"),
        }
    })
}

pub fn project_body(hub: &str) -> Value {
    json!({
        "location": "eastus",
        "kind": "Project",
        "identity": {"type": "SystemAssigned"},
        "properties": {"friendlyName": "The project", "hubResourceId": hub}
    })
}
