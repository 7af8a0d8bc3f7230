//! What the service does with a request: which handler it gets, and how lists and bodies are read and answered.

use std::collections::HashMap;

use axum::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::arm_path::{Child, ResourceId, Route};
use crate::connections;
use crate::datastores;
use crate::emulator::Shared;
use crate::errors::{self, ArmError};
use crate::gateway::Call;
use crate::operations::Polled;
use crate::schemas::SchemaViolation;
use crate::workspaces::{self, Write, Writer, rules};
use crate::world::World;

/// A request that ARM lets through to the service.
pub(crate) struct Request<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) call: &'a Call,
    pub(crate) query: &'a HashMap<String, String>,
    pub(crate) caller: &'a str,
    pub(crate) now: Timestamp,
}

impl Request<'_> {
    pub(crate) fn dispatch(&self, world: &mut World, route: Route) -> Result<Answer, ArmError> {
        let method = &self.call.method;
        match (method.as_str(), route) {
            ("GET", Route::Workspaces { subscription, group }) => {
                let kind = self.query.get("kind").map(String::as_str);
                let found = workspaces::list(world, &subscription, group.as_deref(), kind);
                Ok(self.page(world, found))
            }
            ("GET", Route::Operation { subscription, operation, .. }) => {
                world.operations.count_poll(&operation, self.now);
                world.advance(self.now);
                self.poll(world, &subscription, &operation)
            }
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

    pub(crate) fn json(&self) -> Result<Value, ArmError> {
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
    pub(crate) fn page(&self, world: &World, found: Vec<Value>) -> Answer {
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
