//! Templates of campaigns, as the component checks them ([`shared::template`]), filled as messages.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
pub use shared::template::{Fields, FillError, TemplateError};

use crate::message::Message;

/// A campaign's content.
#[derive(Clone, Debug)]
pub struct Template(shared::template::Template);

impl Template {
    /// Reads `{title, body?, data?, link?}`; `field` is the template's own name in errors.
    ///
    /// # Errors
    /// A member is missing, unknown, of the wrong type, too long, or not a template.
    pub fn parse(value: &Value, field: &str) -> Result<Self, TemplateError> {
        shared::template::Template::parse(value, field).map(Self)
    }

    /// The names of all fields, so that a caller can say which ones users need.
    #[must_use]
    pub fn fields(&self) -> Vec<String> {
        self.0.fields()
    }

    /// The message for one device. Title and body are cut at their limits: a field may be long.
    ///
    /// # Errors
    /// A field is missing or of the wrong type, or the link becomes too long.
    pub fn fill(&self, locale: Option<&str>, fields: &Fields) -> Result<Message, FillError> {
        let shared::template::Filled { title, body, link, data } = self.0.fill(locale, fields)?;
        Ok(Message { title, body, link, data, ..Message::default() })
    }
}

/// Fills without keeping the template: for many users with the same locale and no fields.
#[derive(Debug, Default)]
pub struct Cache {
    filled: HashMap<Option<String>, Arc<Message>>,
}

impl Cache {
    /// Locales are the devices', so their number is bounded here.
    const LOCALES_MAX: usize = 1000;

    /// The message for a user without fields of their own.
    ///
    /// # Errors
    /// As [`Template::fill`] without fields.
    pub fn get(
        &mut self,
        template: &Template,
        locale: Option<&str>,
        finish: impl FnOnce(Message) -> Message,
    ) -> Result<Arc<Message>, FillError> {
        let key = locale.map(str::to_owned);
        if let Some(message) = self.filled.get(&key) {
            return Ok(message.clone());
        }
        let message = Arc::new(finish(template.fill(locale, &Fields::new())?));
        if self.filled.len() < Self::LOCALES_MAX {
            self.filled.insert(key, message.clone());
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests;
