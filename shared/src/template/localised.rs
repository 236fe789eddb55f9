//! One text, or one per language.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Problem, TemplateError, error, invalid, missing, shown, too_long};
use crate::limits::TEMPLATE_LOCALES_MAX;

/// The longest tag that RFC 5646 asks to provide for.
const LOCALE_BYTES_MAX: usize = 35;

#[derive(Clone, Debug)]
pub(super) struct Localised<T> {
    default: T,
    /// By lower-case tag.
    others: BTreeMap<String, T>,
}

impl<T> Localised<T> {
    pub(super) fn parse(
        value: &Value,
        field: &str,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Self, TemplateError> {
        let texts = match value {
            Value::String(text) => {
                let default = parse(text).map_err(|problem| error(field, problem))?;
                return Ok(Self { default, others: BTreeMap::new() });
            }
            Value::Object(texts) => texts,
            _ => {
                return Err(error(
                    field,
                    invalid("must be a text or an object of texts by locale"),
                ));
            }
        };
        if texts.len() > TEMPLATE_LOCALES_MAX {
            let problem = format!("has more than {TEMPLATE_LOCALES_MAX} locales");
            return Err(error(field, too_long(problem)));
        }
        let mut default = None;
        let mut others = BTreeMap::new();
        for (locale, text) in texts {
            let field = format!("{field}.{}", shown(locale));
            let tag = normal(locale).ok_or_else(|| error(&field, invalid("is not a locale")))?;
            let text = text.as_str().ok_or_else(|| error(&field, invalid("must be a text")))?;
            let text = parse(text).map_err(|problem| error(&field, problem))?;
            if tag == "default" {
                default = Some(text);
            } else if others.insert(tag, text).is_some() {
                return Err(error(&field, invalid("is given twice")));
            }
        }
        let default = default.ok_or_else(|| error(&format!("{field}.default"), missing()))?;
        Ok(Self { default, others })
    }

    /// The exact locale's, else that of its longest prefix, else the default.
    pub(super) fn select(&self, locale: Option<&str>) -> &T {
        let tag = locale.filter(|_| !self.others.is_empty()).and_then(normal).unwrap_or_default();
        let mut tag = tag.as_str();
        loop {
            if let Some(text) = self.others.get(tag) {
                return text;
            }
            match tag.rsplit_once('-') {
                Some((shorter, _)) => tag = shorter,
                None => return &self.default,
            }
        }
    }

    pub(super) fn each(&self, mut visit: impl FnMut(&T)) {
        visit(&self.default);
        self.others.values().for_each(visit);
    }
}

/// `pt_BR` and `PT-br` are `pt-br`. `None` for what is not a tag of letters, digits and hyphens.
fn normal(locale: &str) -> Option<String> {
    let is_tag = locale.len() <= LOCALE_BYTES_MAX
        && locale
            .split(['-', '_'])
            .all(|subtag| !subtag.is_empty() && subtag.bytes().all(|b| b.is_ascii_alphanumeric()));
    is_tag.then(|| locale.to_ascii_lowercase().replace('_', "-"))
}
