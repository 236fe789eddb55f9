//! The error type of all HTTP answers, and the registry of its codes.

use std::fmt;

/// Stable codes of the HTTP API: clients depend on them, so a code never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    BadJson,
    UnknownField,
    MissingField,
    InvalidField,
    InvalidId,
    InvalidPath,
    ReservedName,
    LimitExceeded,
    NotFound,
    MethodNotAllowed,
    Unauthorized,
    TokenExpired,
    Forbidden,
    AuthNotConfigured,
    AuthUnavailable,
    PayloadTooLarge,
    IdempotencyMismatch,
    StaleReceipt,
    CursorGone,
    WrongType,
    TooManySockets,
    RateLimited,
    RedisUnavailable,
    RecordUnavailable,
    OriginFailed,
    OriginTimeout,
    NotReady,
    Internal,
}

impl Code {
    pub const ALL: [Code; 28] = [
        Code::BadJson,
        Code::UnknownField,
        Code::MissingField,
        Code::InvalidField,
        Code::InvalidId,
        Code::InvalidPath,
        Code::ReservedName,
        Code::LimitExceeded,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::Unauthorized,
        Code::TokenExpired,
        Code::Forbidden,
        Code::AuthNotConfigured,
        Code::AuthUnavailable,
        Code::PayloadTooLarge,
        Code::IdempotencyMismatch,
        Code::StaleReceipt,
        Code::CursorGone,
        Code::WrongType,
        Code::TooManySockets,
        Code::RateLimited,
        Code::RedisUnavailable,
        Code::RecordUnavailable,
        Code::OriginFailed,
        Code::OriginTimeout,
        Code::NotReady,
        Code::Internal,
    ];

    /// The code in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::BadJson => "bad_json",
            Code::UnknownField => "unknown_field",
            Code::MissingField => "missing_field",
            Code::InvalidField => "invalid_field",
            Code::InvalidId => "invalid_id",
            Code::InvalidPath => "invalid_path",
            Code::ReservedName => "reserved_name",
            Code::LimitExceeded => "limit_exceeded",
            Code::NotFound => "not_found",
            Code::MethodNotAllowed => "method_not_allowed",
            Code::Unauthorized => "unauthorized",
            Code::TokenExpired => "token_expired",
            Code::Forbidden => "forbidden",
            Code::AuthNotConfigured => "auth_not_configured",
            Code::AuthUnavailable => "auth_unavailable",
            Code::PayloadTooLarge => "payload_too_large",
            Code::IdempotencyMismatch => "idempotency_mismatch",
            Code::StaleReceipt => "stale_receipt",
            Code::CursorGone => "cursor_gone",
            Code::WrongType => "wrong_type",
            Code::TooManySockets => "too_many_sockets",
            Code::RateLimited => "rate_limited",
            Code::RedisUnavailable => "redis_unavailable",
            Code::RecordUnavailable => "record_unavailable",
            Code::OriginFailed => "origin_failed",
            Code::OriginTimeout => "origin_timeout",
            Code::NotReady => "not_ready",
            Code::Internal => "internal",
        }
    }

    /// The HTTP status of the code.
    pub fn status(self) -> u16 {
        match self {
            Code::BadJson
            | Code::UnknownField
            | Code::MissingField
            | Code::InvalidField
            | Code::InvalidId
            | Code::InvalidPath
            | Code::ReservedName
            | Code::LimitExceeded => 400,
            Code::Unauthorized | Code::TokenExpired => 401,
            Code::Forbidden => 403,
            Code::NotFound => 404,
            Code::MethodNotAllowed => 405,
            Code::StaleReceipt | Code::WrongType => 409,
            Code::CursorGone => 410,
            Code::PayloadTooLarge => 413,
            Code::IdempotencyMismatch => 422,
            Code::TooManySockets | Code::RateLimited => 429,
            Code::Internal => 500,
            Code::OriginFailed => 502,
            Code::AuthNotConfigured
            | Code::AuthUnavailable
            | Code::RedisUnavailable
            | Code::RecordUnavailable
            | Code::NotReady => 503,
            Code::OriginTimeout => 504,
        }
    }

    /// A short title for people, the same for every error of the code (RFC 9457 §3.1.3).
    pub fn title(self) -> &'static str {
        match self {
            Code::BadJson => "The body is not valid JSON",
            Code::UnknownField => "Unknown field",
            Code::MissingField => "Missing field",
            Code::InvalidField => "Invalid field",
            Code::InvalidId => "Invalid id",
            Code::InvalidPath => "Invalid path",
            Code::ReservedName => "Reserved name",
            Code::LimitExceeded => "Limit exceeded",
            Code::NotFound => "Not found",
            Code::MethodNotAllowed => "Method not allowed",
            Code::Unauthorized => "Authentication required",
            Code::TokenExpired => "Token expired",
            Code::Forbidden => "Not allowed",
            Code::AuthNotConfigured => "Authentication is not configured",
            Code::AuthUnavailable => "The identity provider's keys are not available",
            Code::PayloadTooLarge => "Request too large",
            Code::IdempotencyMismatch => "Idempotency key reused with another body",
            Code::StaleReceipt => "Stale receipt",
            Code::CursorGone => "Cursor gone",
            Code::WrongType => "Key of another type",
            Code::TooManySockets => "The user has too many sockets",
            Code::RateLimited => "Too many requests",
            Code::RedisUnavailable => "Redis is unavailable",
            Code::RecordUnavailable => "The record is unavailable",
            Code::OriginFailed => "The origin failed",
            Code::OriginTimeout => "The origin timed out",
            Code::NotReady => "Not ready",
            Code::Internal => "Internal error",
        }
    }

    /// Seconds after which a retry makes sense, if one does.
    pub fn retry_after_s(self) -> Option<u32> {
        match self {
            Code::RedisUnavailable | Code::RecordUnavailable | Code::NotReady => Some(2),
            Code::AuthUnavailable | Code::OriginFailed | Code::OriginTimeout => Some(5),
            // It is resolved when the user closes a tab.
            Code::TooManySockets => Some(30),
            // The buckets refill every second; a shorter time would let clients empty them at once.
            Code::RateLimited => Some(5),
            Code::AuthNotConfigured => Some(30),
            _ => None,
        }
    }
}

/// An error as the caller sees it. `detail` contains no secrets, bodies or internals; the code that
/// failed logs those for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    code: Code,
    detail: String,
    /// The invalid member of the request body, for batch answers.
    field: Option<String>,
    /// The methods for `Allow`, with `method_not_allowed`.
    allow: Option<&'static str>,
}

impl Error {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, allow: None }
    }

    /// An error about one member of the body.
    pub fn field(code: Code, field: &str, detail: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(code, detail) }
    }

    /// 405; `allow` is the value of the `Allow` header.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(Code::MethodNotAllowed, format!("this path takes {allow}"))
        }
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("{what} does not exist"))
    }

    pub fn code(&self) -> Code {
        self.code
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub fn field_name(&self) -> Option<&str> {
        self.field.as_deref()
    }

    pub fn allow(&self) -> Option<&'static str> {
        self.allow
    }

    /// The error of one item of a batch: `{"code","detail","field"?}`.
    pub fn item_json(&self) -> String {
        let mut body = serde_json::json!({"code": self.code.as_str(), "detail": self.detail});
        if let (Some(field), Some(members)) = (&self.field, body.as_object_mut()) {
            members.insert("field".to_owned(), field.as_str().into());
        }
        body.to_string()
    }

    /// The `application/problem+json` body (RFC 9457) with the additional member `code`.
    pub fn problem_json(&self) -> String {
        let mut body = serde_json::json!({
            "type": format!("urn:bellwire:problem:{}", self.code.as_str()),
            "title": self.code.title(),
            "status": self.code.status(),
            "detail": self.detail,
            "code": self.code.as_str(),
        });
        if let (Some(field), Some(members)) = (&self.field, body.as_object_mut()) {
            members.insert("field".to_owned(), field.as_str().into());
        }
        body.to_string()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_in_order() {
        let at: Vec<usize> = Code::ALL.into_iter().map(|code| code as usize).collect();
        assert_eq!(at, (0..Code::ALL.len()).collect::<Vec<_>>());
        let mut names: Vec<&str> = Code::ALL.into_iter().map(Code::as_str).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn every_429_and_503_has_a_retry_time() {
        for code in Code::ALL.into_iter().filter(|code| matches!(code.status(), 429 | 503)) {
            assert!(code.retry_after_s().is_some_and(|seconds| seconds > 0), "{code:?}");
        }
        // The user's own limit and the general one have different codes.
        assert_eq!((Code::TooManySockets.status(), Code::RateLimited.status()), (429, 429));
        assert_ne!(Code::TooManySockets.as_str(), Code::RateLimited.as_str());
    }
}
