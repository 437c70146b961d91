//! The two eras of the protocol: which one a request belongs to, and what that asks of it.

use octopoid_domain::text::cut;
use serde_json::{Value, json};

use crate::{
    headers::Mirrored,
    message::{INVALID_PARAMS, INVALID_REQUEST, Request, RpcError},
};

/// The versions with the life cycle of `initialize`, the newest first.
pub const LEGACY_VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The versions whose requests stand for themselves.
pub const MODERN_VERSIONS: [&str; 1] = ["2026-07-28"];

/// A header disagrees with the message.
pub(crate) const HEADER_MISMATCH: i64 = -32020;
/// The version is not one of [`MODERN_VERSIONS`].
pub(crate) const UNSUPPORTED_VERSION: i64 = -32022;

/// The keys in `_meta` of a request that stands for itself.
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_KEY: &str = "io.modelcontextprotocol/clientInfo";

/// How much of a client's name is taken as the name of its agent.
const CLIENT_BYTES_MAX: usize = 64;

/// Which rules a request follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// After `initialize`, or without it: the version is of no consequence here.
    Legacy,
    /// By itself. The client may have given its name.
    Modern(Option<String>),
}

/// Checks what a request says of the protocol's version, in its body and in its headers, which are
/// there over HTTP only.
pub(crate) fn check(request: &Request, headers: Option<&Mirrored<'_>>) -> Result<Era, RpcError> {
    if request.method == "initialize" {
        // The answer names a supported version for any requested one.
        return Ok(Era::Legacy);
    }
    let meta = request.params.get("_meta").and_then(Value::as_object);
    let claims = meta.is_some_and(|meta| meta.contains_key(VERSION_KEY));
    let header = headers.and_then(|headers| headers.version);
    if !claims && !header.is_some_and(|version| MODERN_VERSIONS.contains(&version)) {
        return check_header(header).map(|()| Era::Legacy);
    }
    let missing =
        |key: &str| RpcError::new(INVALID_PARAMS, format!("\"params._meta\" must have \"{key}\""));
    let Some(meta) = meta.filter(|meta| meta.contains_key(VERSION_KEY)) else {
        return Err(missing(VERSION_KEY));
    };
    let Some(capabilities) = meta.get(CAPABILITIES_KEY) else {
        return Err(missing(CAPABILITIES_KEY));
    };
    if let Some(headers) = headers {
        check_mirrored(request, &meta[VERSION_KEY], headers)?;
    }
    let Some(version) = meta[VERSION_KEY].as_str() else {
        return Err(RpcError::new(INVALID_PARAMS, format!("\"{VERSION_KEY}\" must be a text")));
    };
    if !capabilities.is_object() {
        let text = format!("\"{CAPABILITIES_KEY}\" must be an object");
        return Err(RpcError::new(INVALID_PARAMS, text));
    }
    if !MODERN_VERSIONS.contains(&version) {
        return Err(unsupported(version));
    }
    let name = meta.get(CLIENT_KEY).and_then(|client| client["name"].as_str());
    let name = name.map(|name| cut(name, CLIENT_BYTES_MAX).trim()).filter(|name| !name.is_empty());
    Ok(Era::Modern(name.map(str::to_owned)))
}

/// Checks the version in a header, on what says nothing of it in its body.
pub(crate) fn check_header(version: Option<&str>) -> Result<(), RpcError> {
    match version {
        Some(version) if !is_known(version) => {
            let text = format!(
                "The version in MCP-Protocol-Version is not supported: use {} or {}",
                MODERN_VERSIONS.join(", "),
                LEGACY_VERSIONS.join(", ")
            );
            // The code of unsupported versions would tell the client that it need not fall back.
            Err(RpcError::new(INVALID_REQUEST, text))
        }
        _ => Ok(()),
    }
}

/// Compares the headers of a request with its body.
fn check_mirrored(
    request: &Request,
    version: &Value,
    headers: &Mirrored<'_>,
) -> Result<(), RpcError> {
    let mismatch = |header: &str, field: &str| {
        let text = format!("The header {header} must be there and equal \"{field}\" in the body");
        Err(RpcError::new(HEADER_MISMATCH, text))
    };
    if headers.version.is_none() || headers.version != version.as_str() {
        return mismatch("MCP-Protocol-Version", VERSION_KEY);
    }
    if headers.method != Some(&request.method) {
        return mismatch("Mcp-Method", "method");
    }
    let name = request.params.get("name").and_then(Value::as_str);
    if request.method == "tools/call" && name.is_some() && headers.name.as_deref() != name {
        return mismatch("Mcp-Name", "params.name");
    }
    Ok(())
}

fn is_known(version: &str) -> bool {
    LEGACY_VERSIONS.contains(&version) || MODERN_VERSIONS.contains(&version)
}

fn unsupported(version: &str) -> RpcError {
    let mut error = RpcError::new(
        UNSUPPORTED_VERSION,
        format!(
            "This version of the protocol is not supported: use {}, or \"initialize\"",
            MODERN_VERSIONS.join(" or ")
        ),
    );
    error.data = Some(json!({"supported": MODERN_VERSIONS, "requested": version}));
    error
}
