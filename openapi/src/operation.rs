//! One operation: the data of the tables, and the parts that every operation derives from it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use shared::Code;
use shared::auth::Scope;

use crate::headers;
use crate::problem::problem_name;
use crate::schema::named;

/// The access rule.
enum Access {
    Public,
    Scope(Scope),
    SelfOr(Scope),
    /// The rule in `resources.toml`.
    PerResource,
    /// The same for each path of the body, as a result of its own.
    PerPath,
}

pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub id: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    description: Vec<String>,
    access: Access,
    parameters: Vec<Value>,
    body: Option<(Value, bool, usize)>,
    example: Option<Value>,
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
        Self {
            method,
            path,
            id,
            tag,
            summary,
            description: Vec::new(),
            access: Access::Public,
            parameters,
            body: None,
            example: None,
            answers: BTreeMap::new(),
            codes,
        }
    }

    /// A description in addition to the summary.
    pub fn says(mut self, description: impl Into<String>) -> Self {
        self.description.push(description.into());
        self
    }

    pub fn scope(mut self, scope: Scope) -> Self {
        self.access = Access::Scope(scope);
        self.with_token()
    }

    /// Also allows the user's own token.
    pub fn self_or(mut self, scope: Scope) -> Self {
        self.access = Access::SelfOr(scope);
        self.with_token()
    }

    pub fn per_resource(mut self) -> Self {
        self.access = Access::PerResource;
        self.with_token()
    }

    pub fn per_path(mut self) -> Self {
        self.access = Access::PerPath;
        self
    }

    fn with_token(self) -> Self {
        let codes = [
            Code::Unauthorized,
            Code::TokenExpired,
            Code::Forbidden,
            Code::AuthNotConfigured,
            Code::AuthUnavailable,
        ];
        // These operations reject query parameters that they do not list.
        self.fails(&codes).fails(&[Code::UnknownField, Code::InvalidField])
    }

    pub fn query(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "query", "schema": schema, "description": description,
        }));
        self
    }

    /// Adds a parameter that is defined elsewhere.
    pub fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self.fails(&[Code::InvalidField])
    }

    pub fn header(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "header", "schema": schema, "description": description,
        }));
        self.fails(&[Code::InvalidField, Code::LimitExceeded])
    }

    /// Answers with an entity tag, or 304 if the client has it.
    pub fn revalidates(self) -> Self {
        self.parameter(headers::if_none_match())
            .empty(304, "The client has this answer already.")
            .sends(304, &[headers::ETAG, headers::CACHE_CONTROL])
            .sends(200, &[headers::ETAG, headers::CACHE_CONTROL])
    }

    /// A required body of at most `bytes_max` bytes.
    pub fn body(mut self, schema: Value, bytes_max: usize) -> Self {
        self.body = Some((schema, true, bytes_max));
        self.fails(&[Code::MissingField]).with_body()
    }

    /// An optional body.
    pub fn body_opt(mut self, schema: Value, bytes_max: usize) -> Self {
        self.body = Some((schema, false, bytes_max));
        self.with_body()
    }

    /// Rejects a body that says anything.
    pub fn no_body(self) -> Self {
        self.fails(&[Code::BadJson, Code::UnknownField, Code::PayloadTooLarge])
    }

    /// An example of a valid body.
    pub fn example(mut self, body: Value) -> Self {
        self.example = Some(body);
        self
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
        let headers = headers::refer(&[headers::REQUEST_ID]);
        let answer = json!({"description": description, "headers": headers, "content": content});
        self.answers.insert(status, answer);
        self
    }

    /// An answer that is a text of this type.
    pub fn answers_text(mut self, status: u16, description: &str, kind: &str, shown: &str) -> Self {
        let content = json!({kind: {"schema": {"type": "string"}, "example": shown}});
        let headers = headers::refer(&[headers::REQUEST_ID]);
        let answer = json!({"description": description, "headers": headers, "content": content});
        self.answers.insert(status, answer);
        self
    }

    /// A body of the answer with this status, which was given before.
    pub fn shows(mut self, status: u16, body: Value) -> Self {
        if let Some(answer) = self.answers.get_mut(&status) {
            answer["content"]["application/json"]["example"] = body;
        }
        self
    }

    /// An answer without a body.
    pub fn empty(mut self, status: u16, description: &str) -> Self {
        let headers = headers::refer(&[headers::REQUEST_ID]);
        self.answers.insert(status, json!({"description": description, "headers": headers}));
        self
    }

    /// Adds headers to an answer that was added before.
    pub fn sends(mut self, status: u16, names: &[&str]) -> Self {
        let known =
            self.answers.get_mut(&status).and_then(|answer| answer["headers"].as_object_mut());
        if let (Some(known), Value::Object(more)) = (known, headers::refer(names)) {
            known.extend(more);
        }
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
        let description = self.full_description();
        if !description.is_empty() {
            operation["description"] = description.into();
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.clone().into();
        }
        if let Some((schema, is_required, bytes_max)) = &self.body {
            let mut content = json!({"schema": schema});
            if let Some(example) = &self.example {
                content["example"] = example.clone();
            }
            operation["requestBody"] = json!({
                "required": is_required,
                "description": format!("At most {bytes_max} bytes."),
                "content": {"application/json": content},
                "x-bytes-max": bytes_max,
            });
        }
        operation
    }

    fn full_description(&self) -> String {
        let needed = match &self.access {
            Access::Public => "Needs no token.".to_owned(),
            Access::Scope(scope) => match scope.included_in() {
                None => format!("Needs the scope `{}`.", scope.as_str()),
                Some(more) => format!(
                    "Needs the scope `{}`, which `{}` includes.",
                    scope.as_str(),
                    more.as_str()
                ),
            },
            Access::SelfOr(scope) => {
                format!("Needs the user's own token or the scope `{}`.", scope.as_str())
            }
            Access::PerResource => format!(
                "The resource's declaration decides who may read it: anyone, the user whose id \
                 is in the path, or holders of the scope `{}`.",
                Scope::CacheRead.as_str()
            ),
            Access::PerPath => {
                "Needs no token by itself: what the token does not allow is an error of its path."
                    .to_owned()
            }
        };
        let mut sentences = self.description.clone();
        sentences.push(needed);
        sentences.join(" ")
    }

    fn security(&self) -> Value {
        match &self.access {
            Access::Public => json!([]),
            Access::Scope(scope) => {
                let scopes = [Some(*scope), scope.included_in()].into_iter().flatten();
                scopes.map(|scope| json!({"bearer": [scope.as_str()]})).collect()
            }
            Access::SelfOr(scope) => json!([{"bearer": []}, {"bearer": [scope.as_str()]}]),
            Access::PerResource | Access::PerPath => {
                json!([{}, {"bearer": []}, {"bearer": [Scope::CacheRead.as_str()]}])
            }
        }
    }

    /// The answers, and a problem for each status of the codes.
    fn responses(&self) -> Value {
        let status_text = |(status, answer): (&u16, &Value)| (status.to_string(), answer.clone());
        let mut responses: Map<String, Value> = self.answers.iter().map(status_text).collect();
        for (status, codes) in self.problems() {
            let reference = format!("#/components/responses/{}", problem_name(&codes));
            responses.insert(status.to_string(), json!({"$ref": reference}));
        }
        responses.into()
    }

    /// The codes by status.
    pub fn problems(&self) -> BTreeMap<u16, Vec<Code>> {
        let mut problems: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
        for code in Code::ALL.into_iter().filter(|code| self.codes.contains(code)) {
            problems.entry(code.status()).or_default().push(code);
        }
        problems
    }
}

/// The parameter of a segment in braces.
fn path_parameter(segment: &str) -> Option<Value> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let schema = match name {
        "user" => "UserId",
        "campaign" => "CampaignId",
        "device" => "DeviceName",
        "queue" => "QueueName",
        "resource" => "ResourceName",
        "id" => "NotificationId",
        _ => "ResourcePart",
    };
    Some(json!({"name": name, "in": "path", "required": true, "schema": named(schema)}))
}
