//! A campaign's options, with its template ready to be filled.

use std::sync::Arc;

use parking_lot::Mutex;
use push::message::Message;
use push::template::{Cache, Fields, FillError, Template};
use shared::campaign_push::Options;

use super::content::Findings;

pub(super) struct Plan {
    pub(super) options: Options,
    pub(super) findings: Findings,
    template: Template,
    /// The template's fields, all empty: the smallest content that a user can get.
    empty: Fields,
    /// Without fields, and without notifications of their own, users of one locale get the same.
    is_for_all: bool,
    filled: Mutex<Cache>,
}

impl Plan {
    /// `None` if the template is none to this version.
    pub(super) fn new(options: Options) -> Option<Self> {
        let value = serde_json::from_str(&options.template).ok()?;
        let template = Template::parse(&value, "template").ok()?;
        let empty: Fields =
            template.fields().into_iter().map(|name| (name, String::new().into())).collect();
        let is_for_all = empty.is_empty() && !options.feed;
        let (filled, findings) = (Mutex::default(), Findings::default());
        Some(Self { options, findings, template, empty, is_for_all, filled })
    }

    pub(super) fn has_fields(&self) -> bool {
        !self.empty.is_empty()
    }

    /// The message with this id for one device.
    ///
    /// # Errors
    /// The user's fields do not fill the template.
    pub(super) fn message(
        &self,
        id: &str,
        locale: Option<&str>,
        fields: &Fields,
    ) -> Result<Arc<Message>, FillError> {
        let finish = |message| Message { id: id.to_owned(), ..message };
        if self.is_for_all {
            return self.filled.lock().get(&self.template, locale, finish);
        }
        self.template.fill(locale, fields).map(finish).map(Arc::new)
    }

    /// The message of a user whose fields are empty, without an id.
    ///
    /// # Errors
    /// As [`Self::message`].
    pub(super) fn least(&self, locale: Option<&str>) -> Result<Message, FillError> {
        self.template.fill(locale, &self.empty)
    }
}
