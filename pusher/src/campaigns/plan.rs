//! A campaign's options, with its template ready to be filled.

use std::sync::Arc;

use parking_lot::Mutex;
use push::Push;
use push::message::Message;
use push::outcome::Outcome;
use push::template::{Cache, Fields, FillError, Template};
use shared::campaign_push::Options;
use tokio::sync::OnceCell;

use crate::sending::Sending;

pub(super) struct Plan {
    pub(super) options: Options,
    template: Template,
    /// Without fields, and without notifications of their own, users of one locale get the same.
    is_for_all: bool,
    filled: Mutex<Cache>,
    /// Whether the content passed the trial; empty before.
    trial: OnceCell<bool>,
}

impl Plan {
    /// `None` if the template is none to this version.
    pub(super) fn new(options: Options) -> Option<Self> {
        let value = serde_json::from_str(&options.template).ok()?;
        let template = Template::parse(&value, "template").ok()?;
        let is_for_all = template.fields().is_empty() && !options.feed;
        let (filled, trial) = (Mutex::default(), OnceCell::new());
        Some(Self { options, template, is_for_all, filled, trial })
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

    /// Whether the service takes the content: asked once, with the first push that can be checked
    /// without being sent.
    pub(super) async fn passes_trial(&self, sending: &Sending, push: &Push) -> bool {
        let trial = || async {
            let push = Push { validate_only: true, ..push.clone() };
            let outcome = sending.send(&push, || true).await;
            // With fields, it may be one user's content that is refused: that user fails.
            let is_same = self.template.fields().is_empty();
            let is_refused = match outcome {
                Some(Outcome::Refused { reason: "payload_too_large", .. }) => self.is_for_all,
                // A service that names no field may mean the address.
                Some(Outcome::Refused { field: Some(field), .. }) if is_same => {
                    tracing::warn!(field, "a service refuses the content of a campaign");
                    true
                }
                _ => false,
            };
            !is_refused
        };
        *self.trial.get_or_init(trial).await
    }
}
