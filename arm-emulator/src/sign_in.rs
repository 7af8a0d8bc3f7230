//! The token endpoint, and the tokens it gives (ARM reference, section 11).

use std::collections::HashMap;
use std::time::Duration;

use axum::http::StatusCode;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::answer::Answer;
use crate::clock::Clock;
use crate::directory::{Directory, Refusal};
use crate::errors::ArmError;
use crate::permissions;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The claims of an access token.
#[derive(Debug, Serialize, Deserialize)]
struct Access {
    aud: String,
    iss: String,
    tid: String,
    appid: String,
    oid: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// Gives and checks access tokens.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    tenant: String,
    audiences: Vec<String>,
    endpoint: String,
    lifetime: Duration,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tokens").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Tokens {
    pub(crate) fn new(tenant: &str, audiences: &[String], endpoint: &str, lifetime: Duration) -> Self {
        let mut secret = Uuid::new_v4().into_bytes().to_vec();
        secret.extend(Uuid::new_v4().into_bytes());
        let audiences = audiences
            .iter()
            .map(String::as_str)
            .chain([endpoint])
            .map(|audience| audience.trim_end_matches('/').to_owned())
            .collect();
        Self {
            encoding: EncodingKey::from_secret(&secret),
            decoding: DecodingKey::from_secret(&secret),
            tenant: tenant.to_owned(),
            audiences,
            endpoint: endpoint.to_owned(),
            lifetime,
        }
    }

    /// Answers a request to the token endpoint.
    pub(crate) fn answer(&self, directory: &Directory, tenant: &str, form: &[u8], clock: Clock) -> TokenAnswer {
        let fields: HashMap<String, String> = form_urlencoded::parse(form).into_owned().collect();
        let client_id = fields.get("client_id").cloned();
        let answer = self
            .token(directory, tenant, &fields, clock)
            .unwrap_or_else(|refusal| refused(&refusal, clock.at(Timestamp::now())));
        TokenAnswer { answer, client_id }
    }

    fn token(
        &self,
        directory: &Directory,
        tenant: &str,
        fields: &HashMap<String, String>,
        clock: Clock,
    ) -> Result<Answer, Refusal> {
        if !tenant.eq_ignore_ascii_case(&self.tenant) {
            return Err(Refusal::bad_request(
                "invalid_request",
                90_002,
                format!(
                    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into \
                     the correct cloud."
                ),
            ));
        }
        let field = |name: &str| fields.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let required = |name: &str| {
            field(name).ok_or_else(|| {
                Refusal::bad_request(
                    "invalid_request",
                    900_144,
                    format!("The request body must contain the following parameter: '{name}'."),
                )
            })
        };
        let grant = required("grant_type")?;
        if grant != "client_credentials" {
            return Err(Refusal::bad_request(
                "unsupported_grant_type",
                70_003,
                format!("The app requested an unsupported grant type '{grant}'."),
            ));
        }
        let client = &directory.client(required("client_id")?)?;
        let audience = self.audience(required("scope")?)?;
        match (field("client_assertion"), field("client_secret")) {
            (Some(assertion), _) if required("client_assertion_type")? == ASSERTION_TYPE => {
                // Whoever signed it lives by the real clock.
                directory.check_assertion(client, assertion, Timestamp::now())?;
            }
            (None, Some(secret)) => directory.check_secret(client, secret)?,
            _ => {
                return Err(Refusal {
                    status: StatusCode::UNAUTHORIZED,
                    error: "invalid_client",
                    code: 7_000_218,
                    message: "The request body must contain the following parameter: 'client_assertion' or \
                              'client_secret'."
                        .to_owned(),
                });
            }
        }
        let token = self.given(client, audience, clock)?;
        Ok(Answer::ok(json!({
            "token_type": "Bearer",
            "expires_in": token.seconds,
            "ext_expires_in": token.seconds,
            "access_token": token.text
        })))
    }

    /// A token for an identity of the machine, for a resource without `/.default`.
    pub(crate) fn for_machine(&self, client: &str, resource: &str, clock: Clock) -> Result<Given, Refusal> {
        let audience = self.audience(&format!("{resource}/.default"))?;
        self.given(client, audience, clock)
    }

    fn given(&self, client: &str, audience: &str, clock: Clock) -> Result<Given, Refusal> {
        let seconds = clock.real_seconds(self.lifetime.as_secs());
        Ok(Given { text: self.issue(client, audience, clock.at(Timestamp::now()))?, seconds })
    }

    fn audience(&self, scope: &str) -> Result<&str, Refusal> {
        let wanted = scope.strip_suffix("/.default").map(|resource| resource.trim_end_matches('/'));
        wanted
            .and_then(|wanted| self.audiences.iter().find(|known| known.eq_ignore_ascii_case(wanted)))
            .map(String::as_str)
            .ok_or_else(|| match wanted {
                Some(wanted) => Refusal::bad_request(
                    "invalid_resource",
                    500_011,
                    format!("The resource principal named {wanted} was not found in the tenant named {}.", self.tenant),
                ),
                None => Refusal::bad_request(
                    "invalid_scope",
                    1_002_012,
                    format!(
                        "The provided value for scope {scope} is not valid. Client credential flows must have a scope value \
                         with /.default suffixed to the resource identifier (application ID URI)."
                    ),
                ),
            })
    }

    fn issue(&self, client: &str, audience: &str, now: Timestamp) -> Result<String, Refusal> {
        let seconds = now.as_second();
        let claims = Access {
            aud: audience.to_owned(),
            iss: format!("{}/{}/v2.0", self.endpoint, self.tenant),
            tid: self.tenant.clone(),
            appid: client.to_owned(),
            oid: permissions::object_id(client).to_string(),
            iat: seconds,
            nbf: seconds,
            exp: seconds.saturating_add(i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX)),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(|error| Refusal {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: "server_error",
            code: 90_033,
            message: format!("A transient error has occurred: {error}"),
        })
    }

    /// The client id of the caller that an `Authorization` header names, or ARM's refusal.
    pub(crate) fn caller(&self, authorization: Option<&str>, now: Timestamp) -> Result<String, ArmError> {
        let Some(authorization) = authorization else {
            return Err(self.unauthorized(
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            ));
        };
        let Some(token) = authorization
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
        else {
            return Err(self.unauthorized(
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is provided in an invalid format.",
            ));
        };
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_aud = false;
        validation.validate_exp = false;
        let access = jsonwebtoken::decode::<Access>(token, &self.decoding, &validation)
            .map_err(|_| self.unauthorized("InvalidAuthenticationToken", "The access token is invalid."))?
            .claims;
        if !self.audiences.contains(&access.aud) {
            return Err(self.unauthorized(
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource.",
            ));
        }
        if access.exp <= now.as_second() {
            return Err(self.unauthorized(
                "ExpiredAuthenticationToken",
                &format!("The access token expiry UTC time is earlier than current UTC time '{now:.0}'."),
            ));
        }
        Ok(access.appid)
    }

    fn unauthorized(&self, code: &str, message: &str) -> ArmError {
        ArmError::gateway(StatusCode::UNAUTHORIZED, code, message).with_header(
            "www-authenticate",
            format!(
                "Bearer authorization_uri=\"{}/{}\", error=\"invalid_token\", error_description=\"{message}\"",
                self.endpoint, self.tenant
            ),
        )
    }
}

/// A token, and for how many of the caller's seconds it is valid.
pub(crate) struct Given {
    pub(crate) text: String,
    pub(crate) seconds: u64,
}

/// The answer of the token endpoint and who asked.
pub(crate) struct TokenAnswer {
    pub(crate) answer: Answer,
    pub(crate) client_id: Option<String>,
}

fn refused(refusal: &Refusal, now: Timestamp) -> Answer {
    let Refusal { status, error, code, message } = refusal;
    let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
    let time = now.strftime("%Y-%m-%d %H:%M:%SZ");
    let body = json!({
        "error": error,
        "error_description":
            format!("AADSTS{code}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"),
        "error_codes": [code],
        "timestamp": time.to_string(),
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}")
    });
    Answer {
        status: *status,
        headers: Vec::new(),
        body: Some(body),
        failure: Some(format!("AADSTS{code}")),
        fault: None,
    }
}
