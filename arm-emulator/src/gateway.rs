//! What ARM does with a request before and after the resource provider sees it.

use std::collections::HashMap;

use axum::http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use uuid::Uuid;

use crate::answer::Answer;
use crate::arm_path::{self, PROVIDER, Route};
use crate::azure;
use crate::dispatch::Request;
use crate::emulator::Shared;
use crate::errors::{self, ArmError};
use crate::throttle::{Kind, Remaining};
use crate::world::World;

/// The versions of the provider that are served (ARM reference, section 1), and the previews that the recordings show and
/// azure-ai-ml 1.35 asks for.
const API_VERSIONS: [&str; 12] = [
    "2023-08-01-preview",
    "2024-04-01",
    "2024-04-01-preview",
    "2024-10-01",
    "2024-10-01-preview",
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
    let version = query.get("api-version").map(String::as_str);
    let method = call.method.as_str();
    let request = Request { shared, call, query: &query, caller, now };
    if let Some(target) = azure::target(&call.path) {
        let namespace = target.namespace();
        check_foreign_version(version, namespace.unwrap_or("Microsoft.Resources"))?;
        shared.directory().permissions.check(caller, method, &call.path)?;
        let mut world = shared.world();
        world.advance(now);
        if let Some(namespace) = namespace {
            check_group(shared, &world, subscription, &call.path)?;
            world.providers.check(method, subscription, namespace)?;
        }
        return azure::answer(&request, &mut world, target);
    }
    let route = arm_path::route(&call.path)?;
    check_version(version)?;
    shared.directory().permissions.check(caller, method, &call.path)?;

    let mut world = shared.world();
    world.advance(now);
    check_group(shared, &world, subscription, &call.path)?;
    world.providers.check(method, subscription, PROVIDER)?;
    *region = region_of(&world, &route);
    if let Some(plan) = world.take_refusal(call.method.as_str(), &call.path) {
        let status = plan.status.and_then(|status| StatusCode::from_u16(status).ok());
        return Err(ArmError::service(status.unwrap_or(StatusCode::BAD_GATEWAY), plan.code, plan.message));
    }
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

/// A version of another provider than the machine learning service's: any that is spelled like one.
fn check_foreign_version(version: Option<&str>, namespace: &str) -> Result<(), ArmError> {
    let spelled = |version: &str| {
        let date = version.strip_suffix("-preview").unwrap_or(version);
        date.len() == 10 && date.parse::<jiff::civil::Date>().is_ok()
    };
    match version {
        Some(version) if !version.is_empty() && !spelled(version) => Err(ArmError::gateway(
            StatusCode::BAD_REQUEST,
            "NoRegisteredProviderFound",
            format!("No registered resource provider found for API version '{version}' of namespace '{namespace}'."),
        )),
        Some(version) if !version.is_empty() => Ok(()),
        // The same words for all.
        none => check_version(none),
    }
}

fn check_group(shared: &Shared, world: &World, subscription: &str, path: &str) -> Result<(), ArmError> {
    let configured = shared.config.resource_groups.as_deref();
    match group_of(path) {
        Some(group) if !world.store.has_group(configured, subscription, group) => Err(errors::group_not_found(group)),
        _ => Ok(()),
    }
}

/// The resource group that a path is in.
fn group_of(path: &str) -> Option<&str> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).skip(2);
    segments.next().filter(|third| third.eq_ignore_ascii_case("resourceGroups"))?;
    segments.next()
}

fn region_of(world: &World, route: &Route) -> Option<String> {
    let (Route::Resource(id) | Route::Children(id, _) | Route::Secrets(id) | Route::Provision(id)) = route else {
        return None;
    };
    world.get(&id.owner())?.document["location"].as_str().map(str::to_owned)
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
