//! Paths of resources: names and parameters, such as `product/{id:int}`.

use crate::param::ParamType;
use crate::template::{check_fixed, is_name};

/// The literal segments, and the parameters' names and types.
pub type Path = (Vec<Option<String>>, Vec<(String, ParamType)>);

/// Parses a path.
///
/// # Errors
/// The first mistake.
pub fn segments(path: &str) -> Result<Path, String> {
    let (mut segments, mut params): Path = (Vec::new(), Vec::new());
    for segment in path.split('/') {
        match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(_) if segments.is_empty() => return Err("must start with a name".to_owned()),
            Some(text) => {
                let (name, param_type) = param(text)?;
                if params.iter().any(|(known, _)| known == name) {
                    return Err(format!("has the parameter {{{name}}} twice"));
                }
                params.push((name.to_owned(), param_type));
                segments.push(None);
            }
            None if segment.is_empty() => return Err("has an empty segment".to_owned()),
            None => {
                check_fixed(segment)?;
                segments.push(Some(segment.to_owned()));
            }
        }
    }
    for route in ["invalidate", "read"] {
        if segments.first().is_some_and(|first| first.as_deref() == Some(route)) {
            return Err(format!("must not start with `{route}`, which is another route"));
        }
    }
    Ok((segments, params))
}

/// Parses `name` or `name:type`.
fn param(text: &str) -> Result<(&str, ParamType), String> {
    let (name, type_name) = text.split_once(':').unwrap_or((text, "text"));
    if !is_name(name) {
        return Err(format!(
            "has {{{text}}}: a parameter is a name of letters, digits and _, such as {{id}} or {{id:int}}"
        ));
    }
    match ParamType::named(type_name) {
        Some(param_type) => Ok((name, param_type)),
        None => Err(format!("has {{{text}}}: types are {}", ParamType::NAMES)),
    }
}

/// The path with `:` instead of `/`, and without types.
pub fn default_key(segments: &[Option<String>], params: &[String]) -> String {
    let mut params = params.iter();
    let parts = segments.iter().map(|segment| match segment {
        Some(text) => text.clone(),
        None => format!("{{{}}}", params.next().map_or("", String::as_str)),
    });
    parts.collect::<Vec<_>>().join(":")
}
