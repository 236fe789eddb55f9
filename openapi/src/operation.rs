//! One operation: what is said in the tables, and what follows from it for every operation.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use shared::Code;
use shared::auth::Scope;

use crate::schema::named;

/// Who may call.
enum Access {
    Everybody,
    Scope(Scope),
    SelfOr(Scope),
    /// As `resources.toml` declares.
    PerResource,
}

pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub id: &'static str,
    tag: &'static str,
    summary: &'static str,
    access: Access,
    parameters: Vec<Value>,
    body: Option<(Value, bool, usize)>,
    answers: BTreeMap<u16, Value>,
    codes: Vec<Code>,
}

impl Operation {
    /// `head` is method and path, such as `get /healthz`.
    pub fn new(
        tag: &'static str,
        id: &'static str,
        head: &'static str,
        summary: &'static str,
    ) -> Self {
        let (method, path) = head.split_once(' ').unwrap_or((head, ""));
        let parameters: Vec<Value> = path.split('/').filter_map(path_parameter).collect();
        let mut codes = vec![Code::InvalidPath, Code::Internal];
        if !parameters.is_empty() {
            codes.push(Code::InvalidId);
        }
        let (body, answers) = (None, BTreeMap::new());
        let access = Access::Everybody;
        Self { method, path, id, tag, summary, access, parameters, body, answers, codes }
    }

    pub fn scope(mut self, scope: Scope) -> Self {
        self.access = Access::Scope(scope);
        self.with_token()
    }

    /// For the user's own token as well.
    pub fn self_or(mut self, scope: Scope) -> Self {
        self.access = Access::SelfOr(scope);
        self.with_token()
    }

    pub fn per_resource(mut self) -> Self {
        self.access = Access::PerResource;
        self.with_token()
    }

    fn with_token(self) -> Self {
        let codes =
            [Code::Unauthorized, Code::TokenExpired, Code::Forbidden, Code::AuthNotConfigured];
        self.fails(&codes)
    }

    pub fn query(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "query", "schema": schema, "description": description,
        }));
        self.fails(&[Code::UnknownField, Code::InvalidField])
    }

    pub fn header(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "header", "schema": schema, "description": description,
        }));
        self
    }

    /// A body of at most so many bytes.
    pub fn body(mut self, schema: Value, bytes_max: usize) -> Self {
        self.body = Some((schema, true, bytes_max));
        self.fails(&[Code::MissingField]).with_body()
    }

    /// One that may be left out.
    pub fn body_opt(mut self, schema: Value, bytes_max: usize) -> Self {
        self.body = Some((schema, false, bytes_max));
        self.with_body()
    }

    fn with_body(self) -> Self {
        self.fails(&[
            Code::BadJson,
            Code::UnknownField,
            Code::InvalidField,
            Code::LimitExceeded,
            Code::PayloadTooLarge,
        ])
    }

    pub fn answers(mut self, status: u16, description: &str, schema: Value) -> Self {
        let content = json!({"application/json": {"schema": schema}});
        self.answers.insert(status, json!({"description": description, "content": content}));
        self
    }

    /// An answer without a body.
    pub fn empty(mut self, status: u16, description: &str) -> Self {
        self.answers.insert(status, json!({"description": description}));
        self
    }

    pub fn fails(mut self, codes: &[Code]) -> Self {
        self.codes.extend_from_slice(codes);
        self
    }

    pub fn to_json(&self) -> Value {
        let mut operation = json!({
            "tags": [self.tag],
            "operationId": self.id,
            "summary": self.summary,
            "security": self.security(),
            "responses": self.responses(),
        });
        if let Access::SelfOr(scope) = &self.access {
            let words = format!("The user's own token, or scope `{}`.", scope.as_str());
            operation["description"] = words.into();
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.clone().into();
        }
        if let Some((schema, is_required, bytes_max)) = &self.body {
            operation["requestBody"] = json!({
                "required": is_required,
                "description": format!("At most {bytes_max} bytes."),
                "content": {"application/json": {"schema": schema}},
            });
        }
        operation
    }

    fn security(&self) -> Value {
        match &self.access {
            Access::Everybody => json!([]),
            Access::Scope(scope) => json!([{"bearer": [scope.as_str()]}]),
            Access::SelfOr(scope) => json!([{"bearer": []}, {"bearer": [scope.as_str()]}]),
            Access::PerResource => {
                json!([{}, {"bearer": []}, {"bearer": [Scope::CacheRead.as_str()]}])
            }
        }
    }

    /// The answers, and a problem for each status that the codes have.
    fn responses(&self) -> Value {
        let status_text = |(status, answer): (&u16, &Value)| (status.to_string(), answer.clone());
        let mut responses: Map<String, Value> = self.answers.iter().map(status_text).collect();
        for (status, codes) in self.problems() {
            let reference = format!("#/components/responses/{}", problem_name(&codes));
            responses.insert(status.to_string(), json!({"$ref": reference}));
        }
        responses.into()
    }

    /// The codes by their status.
    pub fn problems(&self) -> BTreeMap<u16, Vec<Code>> {
        let mut problems: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
        for code in Code::ALL.into_iter().filter(|code| self.codes.contains(code)) {
            problems.entry(code.status()).or_default().push(code);
        }
        problems
    }
}

/// The name of a problem with one of these codes: operations share them.
pub fn problem_name(codes: &[Code]) -> String {
    codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join("-")
}

/// A problem with one of these codes.
pub fn problem(codes: &[Code]) -> Value {
    let titles: Vec<&str> = codes.iter().map(|code| code.title()).collect();
    let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let mut schema = named("Problem");
    schema["properties"] = json!({"code": {"enum": words}});
    let content = json!({"application/problem+json": {"schema": schema}});
    json!({"description": titles.join(" · "), "content": content})
}

/// The parameter of a segment in braces.
fn path_parameter(segment: &str) -> Option<Value> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let schema = if matches!(name, "queue" | "resource") { "Name" } else { "Id" };
    let mut parameter =
        json!({"name": name, "in": "path", "required": true, "schema": named(schema)});
    if name == "params" {
        parameter["description"] = "One or more segments: OpenAPI has no word for that.".into();
        parameter["x-segments"] = "1..".into();
    }
    Some(parameter)
}
