//! `resources.toml`: the resources that the cache serves, their sources and access rules. Also used
//! by build.rs, and by `queues`, which must not use their keys; independent of host and engine.

mod field_names;
pub mod headers;
pub mod param;
mod path;
pub mod sources;
pub mod template;
pub mod toml_table;

#[cfg(test)]
mod tests;

use std::time::Duration;

use shared::keys::is_reserved;
use shared::limits::{
    CACHE_COPY_MS_MAX, CACHE_KEEP_MS_MAX, CACHE_TAG_BYTES_MAX, CACHE_TAGS_MAX, CACHE_VALUE_BYTES,
    CACHE_VALUE_BYTES_MAX, ID_BYTES_MAX,
};

use crate::field_names::{check_file, check_resource};
use crate::param::ParamType;
use crate::path::{default_key, segments};
use crate::sources::{Source, http_source, sql_source};
use crate::template::{Braces, Piece, Template, check_fixed, may_meet, named, push_plain};
use crate::toml_table::{Fields, FileText, Mistake};

/// The access rule of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without a token.
    Public,
    /// The user named by the parameter with this index, and scope `cache:read`.
    Subject(usize),
    /// Scope `cache:read`.
    Scope,
}

/// Times; the engine supplies the defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub fresh: Duration,
    pub stale: Option<Duration>,
    pub error: Option<Duration>,
    pub absent: Option<Duration>,
    pub cool_down: Option<Duration>,
    pub timeout: Option<Duration>,
    pub soft_timeout: Option<Duration>,
    /// Time of an instance's own copies; `None` without them.
    pub local: Option<Duration>,
}

/// One declared resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// As declared; used in logs.
    pub path: String,
    /// `None` for a parameter.
    pub segments: Vec<Option<String>>,
    pub params: Vec<String>,
    /// The type of each parameter.
    pub types: Vec<ParamType>,
    pub key: Template,
    pub tags: Vec<Template>,
    pub access: Access,
    pub source: Source,
    pub times: Times,
    pub bytes_max: usize,
}

/// All declared resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources(pub Vec<Resource>);

/// Longest timeout of a fetch: readers and cache leases wait for it.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// The path where spin.toml mounts the file.
const MOUNTED: &str = "/resources.toml";

impl Resources {
    /// # Errors
    /// The first mistake and its line.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let mut file = FileText(text).parse()?;
        check_file(&file)?;
        let tables = file.tables("resource")?;
        let mut resources: Vec<Resource> = Vec::new();
        for mut table in tables {
            let resource = named_resource(&mut table)?;
            for other in &resources {
                if may_meet(&resource.segments, &other.segments) {
                    let problem = format!("`path` is also matched by {:?}", other.path);
                    return Err(table.mistake(problem));
                }
                if may_meet(&parts(&resource.key), &parts(&other.key)) {
                    let problem = format!("`key` may be the same as that of {:?}", other.path);
                    return Err(table.mistake(problem));
                }
            }
            resources.push(resource);
        }
        Ok(Self(resources))
    }

    /// The declarations that spin.toml mounts into the component.
    ///
    /// # Errors
    /// The file cannot be read, or its first mistake.
    pub fn mounted() -> Result<Self, String> {
        let text = std::fs::read_to_string(MOUNTED).map_err(|error| error.to_string())?;
        Self::parse(&text).map_err(|error| error.to_string())
    }

    /// Whether a Redis key is, or can be, the value of a resource.
    pub fn own(&self, key: &str) -> bool {
        self.0.iter().any(|resource| {
            let values = vec![ANY.to_string(); resource.params.len()];
            fits(&resource.key.fill(&values, push_plain), key)
        })
    }
}

/// Placeholder of a parameter; no key contains it.
const ANY: char = '\0';

/// Compares part by part: a parameter contains no `:`, and each part has at most one parameter.
fn fits(pattern: &str, key: &str) -> bool {
    let fits = |(pattern, part): (&str, &str)| match pattern.split_once(ANY) {
        None => pattern == part,
        Some((before, after)) => {
            let rest = part.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            rest.is_some_and(|value| !value.is_empty())
        }
    };
    pattern.split(':').count() == key.split(':').count()
        && pattern.split(':').zip(key.split(':')).all(fits)
}

impl Resource {
    /// Whether a path after `/cache/` is this resource's.
    pub fn matches(&self, path: &[&str]) -> bool {
        let fits =
            |(own, given): (&Option<String>, &&str)| own.as_ref().is_none_or(|own| own == given);
        self.segments.len() == path.len() && self.segments.iter().zip(path).all(fits)
    }
}

fn parts(key: &Template) -> Vec<Option<String>> {
    key.parts().unwrap_or_default()
}

/// As [`resource`]; its mistakes name the resource.
fn named_resource(table: &mut Fields<'_>) -> Result<Resource, Mistake> {
    let Some(path) = table.peek("path").map(str::to_owned) else { return resource(table) };
    resource(table).map_err(|Mistake { line, text }| {
        let text = format!("{text} (resource {path:?})");
        Mistake { line, text }
    })
}

fn resource(table: &mut Fields<'_>) -> Result<Resource, Mistake> {
    check_resource(table)?;
    let path = table.string("path")?.ok_or_else(|| table.mistake("`path` is missing"))?;
    let (segments, declared) = segments(&path.value).map_err(|problem| path.mistake(problem))?;
    let (params, types): (Vec<_>, Vec<_>) = declared.into_iter().unzip();
    let key = match table.string("key")? {
        Some(field) => field,
        None => path.with(default_key(&segments, &params)),
    };
    let key = key.map(|text| key_template(&text, &params))?.value;
    let tags = match table.strings("tags")? {
        Some(field) => field.map(|tags| tag_templates(&tags, &params))?.value,
        None => Vec::new(),
    };
    let access = match table.string("access")? {
        Some(field) => field.map(|text| access(&text, &params))?.value,
        None => Access::Scope,
    };
    let times = times(table)?;
    let bytes_max = match table.integer("bytes_max")? {
        None => CACHE_VALUE_BYTES,
        Some(field) => {
            let in_range = |bytes: u64| match usize::try_from(bytes) {
                Ok(bytes) if (1..=CACHE_VALUE_BYTES_MAX).contains(&bytes) => Ok(bytes),
                _ => Err(format!("must be from 1 to {CACHE_VALUE_BYTES_MAX}")),
            };
            field.map(in_range)?.value
        }
    };
    let source = match (table.table("sql")?, table.table("http")?) {
        (Some(sql), None) => sql_source(sql, &params)?,
        (None, Some(http)) => http_source(http, &params)?,
        (None, None) => {
            return Err(table.mistake("needs a source: [resource.sql] or [resource.http]"));
        }
        _ => return Err(table.mistake("has two sources: [resource.sql] and [resource.http]")),
    };
    let path = path.value;
    Ok(Resource { path, segments, params, types, key, tags, access, source, times, bytes_max })
}

fn key_template(text: &str, params: &[String]) -> Result<Template, String> {
    let key = fixed_template(text, params, ID_BYTES_MAX)?;
    if is_reserved(text) {
        return Err("belongs to another capability".to_owned());
    }
    if !matches!(key.0.first(), Some(Piece::Text(_))) {
        return Err("must start with fixed text".to_owned());
    }
    key.parts()?;
    match (0..params.len()).find(|param| !key.has(*param)) {
        Some(missing) => {
            let name = params.get(missing).map_or("", String::as_str);
            Err(format!("must contain {{{name}}}: otherwise one value would be served for all"))
        }
        None => Ok(key),
    }
}

fn tag_templates(tags: &[String], params: &[String]) -> Result<Vec<Template>, String> {
    if tags.len() > CACHE_TAGS_MAX {
        return Err(format!("has more than {CACHE_TAGS_MAX} tags"));
    }
    tags.iter().map(|tag| tag_template(tag, params)).collect()
}

fn tag_template(text: &str, params: &[String]) -> Result<Template, String> {
    let tag = fixed_template(text, params, CACHE_TAG_BYTES_MAX)?;
    // Every tag that a read can produce must be one that can be invalidated.
    match tag.bytes_max(ID_BYTES_MAX) {
        ..=CACHE_TAG_BYTES_MAX => Ok(tag),
        bytes => Err(format!(
            "may have {bytes} bytes with its parameters, at most {CACHE_TAG_BYTES_MAX} are allowed"
        )),
    }
}

fn fixed_template(text: &str, params: &[String], bytes_max: usize) -> Result<Template, String> {
    let template = Template::parse(text, params, Braces::Strict)?;
    for piece in &template.0 {
        if let Piece::Text(text) = piece {
            check_fixed(text)?;
        }
    }
    if text.is_empty() || text.len() > bytes_max {
        return Err(format!("must have from 1 to {bytes_max} bytes"));
    }
    Ok(template)
}

fn access(text: &str, params: &[String]) -> Result<Access, String> {
    match (text, text.strip_prefix("subject:")) {
        ("public", _) => Ok(Access::Public),
        ("cache:read", _) => Ok(Access::Scope),
        (_, Some(name)) => match params.iter().position(|param| param == name) {
            Some(at) => Ok(Access::Subject(at)),
            None => {
                let known = named(params);
                Err(format!("names {name:?}, which is not a parameter of `path` ({known})"))
            }
        },
        _ => {
            Err(format!("is {text:?}: write \"public\", \"subject:<parameter>\" or \"cache:read\""))
        }
    }
}

fn times(table: &mut Fields<'_>) -> Result<Times, Mistake> {
    let mut value = |name: &str, max: Duration| {
        let Some(field) = table.duration(name)? else { return Ok(None) };
        let problem = format!("must be at most {} s", max.as_secs());
        field.map(|time| if time <= max { Ok(time) } else { Err(problem) }).map(|f| Some(f.value))
    };
    // Two cache windows make up the lifetime of a value.
    let window_max = Duration::from_millis(CACHE_KEEP_MS_MAX / 2);
    let fresh = value("fresh", window_max)?;
    let times = Times {
        fresh: fresh.unwrap_or_default(),
        stale: value("stale", window_max)?,
        error: value("error", window_max)?,
        absent: value("absent", window_max)?,
        cool_down: value("cool_down", TIMEOUT_MAX)?,
        timeout: value("timeout", TIMEOUT_MAX)?,
        soft_timeout: value("soft_timeout", TIMEOUT_MAX)?,
        local: value("local", Duration::from_millis(CACHE_COPY_MS_MAX))?,
    };
    match fresh {
        Some(_) => Ok(times),
        None => Err(table.mistake("`fresh` is missing")),
    }
}
