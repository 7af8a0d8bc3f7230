//! The emulated directory: who can sign in, and the check of what they present.

use axum::http::StatusCode;
use jiff::Timestamp;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use crate::config::{Credential, Identity, Issuer};
use crate::permissions::Register;

/// The audience that a client assertion must be for (ARM reference, section 11).
const ASSERTION_AUDIENCE: &str = "api://AzureADTokenExchange";

/// How far clocks may differ, in seconds.
const CLOCK_SKEW: i64 = 300;

/// A refusal of the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) error: &'static str,
    /// The number after `AADSTS`.
    pub(crate) code: u32,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn bad_request(error: &'static str, code: u32, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, code, message: message.into() }
    }

    fn invalid_client(code: u32, message: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_client", code, message: message.into() }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Directory {
    issuers: Vec<Issuer>,
    identities: Vec<Identity>,
    pub(crate) permissions: Register,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl std::fmt::Display for Audience {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(one) => formatter.write_str(one),
            Self::Many(many) => formatter.write_str(&many.join(", ")),
        }
    }
}

impl Audience {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

impl Directory {
    pub(crate) fn new(issuers: Vec<Issuer>, identities: Vec<Identity>) -> Self {
        Self { issuers, identities, permissions: Register::default() }
    }

    /// Adds an issuer, or gives a known one other keys.
    pub(crate) fn trust(&mut self, issuer: Issuer) {
        self.issuers.retain(|known| known.url != issuer.url);
        self.issuers.push(issuer);
    }

    pub(crate) fn register(&mut self, identity: Identity) {
        self.identities.push(identity);
    }

    /// The spelling of the client id under which it is registered.
    pub(crate) fn client(&self, client_id: &str) -> Result<String, Refusal> {
        self.credentials(client_id).next().map(|identity| identity.client_id.clone()).ok_or_else(|| {
            Refusal::bad_request(
                "unauthorized_client",
                700_016,
                format!(
                    "Application with identifier '{client_id}' was not found in the directory. This can happen if \
                         the application has not been installed by the administrator of the tenant or consented to by \
                         any user in the tenant."
                ),
            )
        })
    }

    fn credentials<'a>(&'a self, client_id: &'a str) -> impl Iterator<Item = &'a Identity> {
        self.identities.iter().filter(move |identity| identity.client_id.eq_ignore_ascii_case(client_id))
    }

    /// The client id of the machine's identity that is asked for, or of the only one where none is named.
    pub(crate) fn on_machine(&self, client_id: Option<&str>) -> Result<String, Refusal> {
        let mut assigned = self.identities.iter().filter(|identity| {
            matches!(identity.credential, Credential::Machine)
                && client_id.is_none_or(|wanted| identity.client_id.eq_ignore_ascii_case(wanted))
        });
        let refused = |message: &str| Refusal::bad_request("invalid_request", 0, message);
        match (assigned.next(), assigned.next()) {
            (Some(identity), None) => Ok(identity.client_id.clone()),
            (Some(_), Some(_)) => Err(refused(
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the \
                 token request",
            )),
            (None, _) => Err(refused("Identity not found")),
        }
    }

    pub(crate) fn check_secret(&self, client_id: &str, secret: &str) -> Result<(), Refusal> {
        let fits = self
            .credentials(client_id)
            .any(|identity| matches!(&identity.credential, Credential::Secret(known) if known == secret));
        if fits {
            return Ok(());
        }
        Err(Refusal::invalid_client(
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
                 not the client secret ID, for a secret added to app '{client_id}'."
            ),
        ))
    }

    /// Checks a client assertion: issuer, signature, subject, audience and time, in this order.
    pub(crate) fn check_assertion(&self, client_id: &str, assertion: &str, now: Timestamp) -> Result<(), Refusal> {
        let federations: Vec<(&str, &str)> = self
            .credentials(client_id)
            .filter_map(|identity| match &identity.credential {
                Credential::Federated { issuer, subject } => Some((issuer.as_str(), subject.as_str())),
                Credential::Secret(_) | Credential::Machine => None,
            })
            .collect();
        if federations.is_empty() {
            return Err(Refusal::invalid_client(
                70_025,
                format!("The client '{client_id}' has no configured federated identity credentials."),
            ));
        }
        // Not trusted: it only tells whose keys the signature must be checked with.
        let claimed = jsonwebtoken::dangerous::insecure_decode::<Claims>(assertion)
            .map_err(|_| Refusal::invalid_client(50_027, "JWT token is invalid or malformed."))?
            .claims;
        let issuer = self
            .issuers
            .iter()
            .find(|issuer| issuer.url == claimed.iss)
            .filter(|issuer| federations.iter().any(|(known, _)| *known == issuer.url))
            .ok_or_else(|| no_match(700_211, "issuer", &claimed.iss))?;
        let claims = verified(assertion, issuer)?;
        if !federations.contains(&(claims.iss.as_str(), claims.sub.as_str())) {
            return Err(no_match(700_213, "subject", &claims.sub));
        }
        if !claims.aud.contains(ASSERTION_AUDIENCE) {
            return Err(no_match(700_212, "audience", &claims.aud.to_string()));
        }
        let seconds = now.as_second();
        if claims.exp + CLOCK_SKEW < seconds || claims.nbf.is_some_and(|nbf| nbf - CLOCK_SKEW > seconds) {
            return Err(Refusal::invalid_client(
                700_024,
                format!(
                    "Client assertion is not within its valid time range. Current time: {now:.0}, expiry time of \
                     assertion {}.",
                    Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX)
                ),
            ));
        }
        Ok(())
    }
}

fn no_match(code: u32, what: &str, value: &str) -> Refusal {
    Refusal::invalid_client(
        code,
        format!(
            "No matching federated identity record found for presented assertion {what} '{value}'. Check your federated \
             identity credential Subject, Audience and Issuer against the presented assertion. \
             https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
        ),
    )
}

/// The claims, if one of the issuer's keys signed them.
fn verified(assertion: &str, issuer: &Issuer) -> Result<Claims, Refusal> {
    let refused = || Refusal::invalid_client(50_013, "Assertion failed signature validation.");
    let header = jsonwebtoken::decode_header(assertion).map_err(|_| refused())?;
    let keys: JwkSet = serde_json::from_value(issuer.jwks.clone()).map_err(|_| refused())?;
    // What clusters sign with, and what a shared secret can never be mistaken for.
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(refused());
    }
    let mut validation = Validation::new(header.alg);
    // Audience and time have refusals of their own and are looked at after the signature.
    validation.validate_aud = false;
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    keys.keys
        .iter()
        .filter(|key| is_public(key) && (header.kid.is_none() || key.common.key_id == header.kid))
        .filter_map(|key| DecodingKey::from_jwk(key).ok())
        .find_map(|key| jsonwebtoken::decode::<Claims>(assertion, &key, &validation).ok())
        .map(|token| token.claims)
        .ok_or_else(refused)
}

/// A shared secret in a key set would let whoever reads the set sign.
const fn is_public(key: &Jwk) -> bool {
    !matches!(key.algorithm, AlgorithmParameters::OctetKey(_))
}
