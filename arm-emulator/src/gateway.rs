//! What ARM does with a request before and after the resource provider sees it.

use std::collections::HashMap;

use axum::http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::arm_path::{self, Child, PROVIDER, ResourceId, Route};
use crate::connections;
use crate::datastores;
use crate::emulator::Shared;
use crate::errors::{self, ArmError};
use crate::operations::Polled;
use crate::schemas::SchemaViolation;
use crate::throttle::{Kind, Remaining};
use crate::workspaces::{self, Write, Writer, rules};
use crate::world::World;

/// The versions of the provider that are served (ARM reference, section 1).
const API_VERSIONS: [&str; 10] = [
    "2024-04-01",
    "2024-04-01-preview",
    "2024-10-01",
    "2025-04-01",
    "2025-06-01",
    "2025-09-01",
    "2025-12-01",
    "2026-03-01",
    "2026-05-01",
    "2026-07-01",
];

/// Where the service says it runs, when no workspace tells.
const REGION: &str = "eastus2";

/// A request that has been read whole.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Call {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// An answer with what the journal wants to know about it.
pub(crate) struct Handled {
    pub(crate) answer: Answer,
    pub(crate) caller: Option<String>,
    pub(crate) correlation: Option<String>,
}

/// Answers a request to ARM.
pub(crate) fn handle(shared: &Shared, call: &Call, now: Timestamp) -> Handled {
    let mut remaining = None;
    let mut caller = None;
    let mut region = None;
    let answer = shared
        .tokens
        .caller(call.header("authorization"), now)
        .and_then(|name| {
            caller = Some(name.clone());
            admitted(shared, call, &name, &mut remaining, &mut region, now)
        })
        .unwrap_or_else(|error| error.into_answer(region.as_deref().unwrap_or(REGION), now));
    let correlation =
        call.header("x-ms-correlation-request-id").map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    Handled { answer: finished(answer, call, &correlation, remaining, now), caller, correlation: Some(correlation) }
}

fn admitted(
    shared: &Shared,
    call: &Call,
    caller: &str,
    remaining: &mut Option<Remaining>,
    region: &mut Option<String>,
    now: Timestamp,
) -> Result<Answer, ArmError> {
    let subscription = subscription(&call.path).ok_or_else(|| {
        ArmError::gateway(StatusCode::NOT_FOUND, "InvalidResource", "The path does not lead to a resource.")
    })?;
    let config = &shared.config;
    if !config.subscriptions.iter().any(|known| known.eq_ignore_ascii_case(subscription)) {
        return Err(ArmError::gateway(
            StatusCode::NOT_FOUND,
            "SubscriptionNotFound",
            format!("The subscription '{subscription}' could not be found."),
        ));
    }
    let budget = (subscription, caller, Kind::of(&call.method));
    *remaining = Some(shared.throttle().take(&config.limits, budget, now, *shared.clock())?);
    let query: HashMap<String, String> = form_urlencoded::parse(call.query.as_bytes())
        .map(|(name, value)| (name.to_lowercase(), value.into_owned()))
        .collect();
    let route = arm_path::route(&call.path)?;
    check_version(query.get("api-version").map(String::as_str))?;
    check_group(config.resource_groups.as_deref(), &route)?;

    let mut world = shared.world();
    world.advance(now);
    *region = region_of(&world, &route);
    if let Some(plan) = world.take_refusal(call.method.as_str(), &call.path) {
        let status = plan.status.and_then(|status| StatusCode::from_u16(status).ok());
        return Err(ArmError::service(status.unwrap_or(StatusCode::BAD_GATEWAY), plan.code, plan.message));
    }
    let request = Request { shared, call, query: &query, caller, now };
    request.dispatch(&mut world, route)
}

/// The second segment of a path that begins with `subscriptions`.
fn subscription(path: &str) -> Option<&str> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    segments.next().filter(|first| first.eq_ignore_ascii_case("subscriptions"))?;
    segments.next()
}

fn check_version(version: Option<&str>) -> Result<(), ArmError> {
    match version {
        None | Some("") => Err(ArmError::gateway(
            StatusCode::BAD_REQUEST,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )),
        Some(version) if API_VERSIONS.iter().any(|known| known.eq_ignore_ascii_case(version)) => Ok(()),
        Some(version) => Err(ArmError::gateway(
            StatusCode::BAD_REQUEST,
            "NoRegisteredProviderFound",
            format!(
                "No registered resource provider found for API version '{version}' of namespace '{PROVIDER}'. The \
                 supported api-versions are '{}'.",
                API_VERSIONS.join(", ")
            ),
        )),
    }
}

fn check_group(known: Option<&[String]>, route: &Route) -> Result<(), ArmError> {
    let group = match route {
        Route::Workspaces { group, .. } => group.as_deref(),
        Route::Resource(id) | Route::Children(id, _) | Route::Secrets(id) | Route::Provision(id) => {
            Some(id.group.as_str())
        }
        Route::Operation { .. } => None,
    };
    match (known, group) {
        (Some(known), Some(group)) if !known.iter().any(|it| it.eq_ignore_ascii_case(group)) => Err(ArmError::gateway(
            StatusCode::NOT_FOUND,
            "ResourceGroupNotFound",
            format!("Resource group '{group}' could not be found."),
        )),
        _ => Ok(()),
    }
}

fn region_of(world: &World, route: &Route) -> Option<String> {
    let (Route::Resource(id) | Route::Children(id, _) | Route::Secrets(id) | Route::Provision(id)) = route else {
        return None;
    };
    world.get(&id.owner())?.document["location"].as_str().map(str::to_owned)
}

struct Request<'a> {
    shared: &'a Shared,
    call: &'a Call,
    query: &'a HashMap<String, String>,
    caller: &'a str,
    now: Timestamp,
}

impl Request<'_> {
    fn dispatch(&self, world: &mut World, route: Route) -> Result<Answer, ArmError> {
        let method = &self.call.method;
        match (method.as_str(), route) {
            ("GET", Route::Workspaces { subscription, group }) => {
                let kind = self.query.get("kind").map(String::as_str);
                let found = workspaces::list(world, &subscription, group.as_deref(), kind);
                Ok(self.page(world, found))
            }
            ("GET", Route::Operation { subscription, operation, .. }) => self.poll(world, &subscription, &operation),
            ("GET", Route::Children(workspace, child)) => {
                require(world, &workspace)?;
                let datastores = datastores::shown(world, &workspace);
                let found = match child {
                    Child::Datastore => datastores,
                    Child::OutboundRule => rules::list(world, &workspace),
                    Child::Connection => connections::list(world, &workspace, &self.filter(), &datastores),
                };
                Ok(self.page(world, found))
            }
            ("POST", Route::Secrets(id)) => {
                require(world, &id.owner())?;
                connections::list_secrets(world, &id)
            }
            ("POST", Route::Provision(id)) => {
                let body = if self.call.body.is_empty() { json!({}) } else { self.json()? };
                rules::provision(world, &id, &body, &self.write())
            }
            (_, Route::Resource(id)) => match id.child {
                None => self.workspace(world, &id),
                Some((Child::Connection, _)) => {
                    require(world, &id.owner())?;
                    self.connection(world, &id)
                }
                Some((Child::OutboundRule, _)) => {
                    require(world, &id.owner())?;
                    self.rule(world, &id)
                }
                Some((Child::Datastore, _)) if method == Method::GET => {
                    require(world, &id.owner())?;
                    datastores::get(world, &id)
                }
                Some((Child::Datastore, _)) => Err(errors::method_not_allowed(method.as_str())),
            },
            _ => Err(errors::method_not_allowed(method.as_str())),
        }
    }

    fn workspace(&self, world: &mut World, id: &ResourceId) -> Result<Answer, ArmError> {
        let write = self.write();
        match write.method {
            "GET" => workspaces::get(world, id),
            "PUT" => workspaces::put(world, id, &self.checked(id)?, &write),
            "PATCH" => workspaces::patch(world, id, &self.json()?, &write),
            "DELETE" => workspaces::delete(world, id, &write),
            other => Err(errors::method_not_allowed(other)),
        }
    }

    fn rule(&self, world: &mut World, id: &ResourceId) -> Result<Answer, ArmError> {
        match self.call.method.as_str() {
            "GET" => rules::get(world, id),
            "PUT" => rules::put(world, id, &self.checked(id)?, &self.write()),
            "DELETE" => rules::delete(world, id, &self.write()),
            other => Err(errors::method_not_allowed(other)),
        }
    }

    fn connection(&self, world: &mut World, id: &ResourceId) -> Result<Answer, ArmError> {
        match self.call.method.as_str() {
            "GET" => connections::get(world, id),
            "PUT" => connections::put(world, id, &self.checked(id)?, &self.writer()),
            "PATCH" => connections::patch(world, id, &self.json()?, &self.writer()),
            "DELETE" => connections::delete(world, id),
            other => Err(errors::method_not_allowed(other)),
        }
    }

    fn poll(&self, world: &World, subscription: &str, operation: &str) -> Result<Answer, ArmError> {
        match world.operations.poll(subscription, operation, &self.call.query)? {
            Polled::Async(operation) => Ok(Answer::ok(operation.status_body())),
            Polled::Location(operation) => {
                let url = format!("{}{}?{}", self.shared.endpoint, self.call.path, self.call.query);
                operation.location_answer(url, world.shown(&operation.target))
            }
        }
    }

    fn write(&self) -> Write<'_> {
        Write {
            writer: self.writer(),
            method: self.call.method.as_str(),
            path: &self.call.path,
            api_version: self.query.get("api-version").map_or("", String::as_str),
            endpoint: &self.shared.endpoint,
        }
    }

    fn writer(&self) -> Writer<'_> {
        Writer { caller: self.caller, tenant: &self.shared.config.tenant_id, now: self.now }
    }

    fn filter(&self) -> connections::Filter {
        connections::Filter {
            target: self.query.get("target").cloned(),
            category: self.query.get("category").cloned(),
            include_all: self.query.get("includeall").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        }
    }

    fn json(&self) -> Result<Value, ArmError> {
        // The reason that the parser gives could quote the body, and with it a secret.
        serde_json::from_slice(&self.call.body)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| errors::invalid_content("The body is not a JSON object"))
    }

    /// The body of a PUT, if the official schemas have nothing against it.
    fn checked(&self, id: &ResourceId) -> Result<Value, ArmError> {
        let body = self.json()?;
        let Some(schemas) = &self.shared.schemas else {
            return Ok(body);
        };
        let version = self.query.get("api-version").map_or("", String::as_str);
        let wrong = schemas.check(&id.resource_type(), id.name(), version, &body);
        if wrong.is_empty() {
            return Ok(body);
        }
        let error = errors::invalid_content(&wrong.join("; "));
        tracing::warn!(path = self.call.path, ?wrong, "the official schemas refuse this body");
        self.shared.violations().push(SchemaViolation {
            time: Timestamp::now(),
            path: self.call.path.clone(),
            resource_type: id.resource_type(),
            wrong,
        });
        Err(error)
    }

    /// One page of a list, with the address of the next.
    fn page(&self, world: &World, found: Vec<Value>) -> Answer {
        let size = world.settings.page_size.max(1);
        let skip: usize = self.query.get("$skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
        let total = found.len();
        let value: Vec<Value> = found.into_iter().skip(skip).take(size).collect();
        let next = skip.saturating_add(size);
        if next >= total {
            return Answer::ok(json!({"value": value}));
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(self.call.query.as_bytes()) {
            if !name.eq_ignore_ascii_case("$skip") {
                query.append_pair(&name, &value);
            }
        }
        query.append_pair("$skip", &next.to_string());
        let link = format!("{}{}?{}", self.shared.endpoint, self.call.path, query.finish());
        Answer::ok(json!({"value": value, "nextLink": link}))
    }
}

fn require(world: &World, workspace: &ResourceId) -> Result<(), ArmError> {
    world.get(workspace).map(|_| ()).ok_or_else(|| errors::parent_not_found(&workspace.workspace))
}

/// The answer with the headers that every answer of ARM has.
fn finished(
    mut answer: Answer,
    call: &Call,
    correlation: &str,
    remaining: Option<Remaining>,
    now: Timestamp,
) -> Answer {
    if !answer.has_header("x-ms-failure-cause") && !answer.has_header("x-ms-response-type") {
        answer = answer.with_header("x-ms-response-type", "standard");
    }
    for (name, value) in remaining.into_iter().flatten() {
        answer = answer.with_header(name, value);
    }
    if let Some(client) = call.header("x-ms-client-request-id") {
        answer = answer.with_header("x-ms-client-request-id", client);
    }
    answer
        .with_header("x-ms-request-id", Uuid::new_v4().to_string())
        .with_header("x-ms-correlation-request-id", correlation)
        .with_header(
            "x-ms-routing-request-id",
            format!("{}:{}:{correlation}", REGION.to_uppercase(), now.strftime("%Y%m%dT%H%M%SZ")),
        )
        .with_header("strict-transport-security", "max-age=31536000; includeSubDomains")
        .with_header("x-content-type-options", "nosniff")
}
