//! The options of `PUT /campaigns/{id}/push`.

use serde_json::value::RawValue;

use crate::error::Error;
use crate::json::Object;
use crate::limits::{
    CAMPAIGN_PUSH_TTL_S_MAX, CAMPAIGN_RATE_DEFAULT, CAMPAIGN_RATE_MAX, CAMPAIGN_START_AHEAD_MS,
};
use crate::template::Template;
use crate::time::{parse_rfc3339, rfc3339};

/// Which users get a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// Those of whom no hub holds a socket.
    Offline,
    /// Nobody: only their feeds get the notification.
    Never,
}

/// Which responses are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Responses {
    Failures,
    All,
    None,
}

/// What happens with users of a worker that did not say what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// They get the push, perhaps again; devices replace it by its id.
    Resend,
    /// They count as failed.
    Drop,
}

/// How a campaign is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The template as JSON text.
    pub template: String,
    pub when: When,
    /// Users per second, at most.
    pub rate: i64,
    /// Earliest start, in milliseconds since the Unix epoch; 0 for at once.
    pub start_at_ms: i64,
    pub ttl_s: i64,
    pub is_dry_run: bool,
    pub responses: Responses,
    pub doubt: Doubt,
    /// Whether each user's feed also gets the notification.
    pub feed: bool,
}

const WHEN: [(&str, When); 3] =
    [("always", When::Always), ("offline", When::Offline), ("never", When::Never)];
const RESPONSES: [(&str, Responses); 3] =
    [("failures", Responses::Failures), ("all", Responses::All), ("none", Responses::None)];
const DOUBT: [(&str, Doubt); 2] = [("resend", Doubt::Resend), ("drop", Doubt::Drop)];

impl Options {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// Any error of a body, naming the member.
    pub fn parse(body: &[u8], now_ms: i64) -> Result<Self, Error> {
        let mut object = Object::parse(body)?;
        let template = object.require("template")?;
        Template::parse_json(template, "template")?;
        let options = Self {
            template: template.get().to_owned(),
            when: one_of(&mut object, "when", &WHEN)?.unwrap_or(When::Always),
            rate: object.integer("rate", 1..=CAMPAIGN_RATE_MAX)?.unwrap_or(CAMPAIGN_RATE_DEFAULT),
            start_at_ms: start_at(&mut object, now_ms)?,
            ttl_s: object
                .integer("ttlSeconds", 0..=CAMPAIGN_PUSH_TTL_S_MAX)?
                .unwrap_or(CAMPAIGN_PUSH_TTL_S_MAX),
            is_dry_run: object.boolean("dryRun")?.unwrap_or_default(),
            responses: one_of(&mut object, "responses", &RESPONSES)?.unwrap_or(Responses::Failures),
            doubt: one_of(&mut object, "doubt", &DOUBT)?.unwrap_or(Doubt::Resend),
            feed: object.boolean("feed")?.unwrap_or_default(),
        };
        object.finish()?;
        Ok(options)
    }

    /// The form in Redis; equal options have equal texts.
    #[must_use]
    pub fn to_json(&self) -> String {
        format!(
            "{{\"template\":{},\"when\":\"{}\",\"rate\":{},\"startAtMs\":{},\"ttlSeconds\":{},\
             \"dryRun\":{},\"responses\":\"{}\",\"doubt\":\"{}\",\"feed\":{}}}",
            self.template,
            word(&WHEN, self.when),
            self.rate,
            self.start_at_ms,
            self.ttl_s,
            self.is_dry_run,
            word(&RESPONSES, self.responses),
            word(&DOUBT, self.doubt),
            self.feed,
        )
    }

    /// Parses the form in Redis; `None` for any other.
    #[must_use]
    pub fn from_json(json: &str) -> Option<Self> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Stored<'a> {
            #[serde(borrow)]
            template: &'a RawValue,
            when: &'a str,
            rate: i64,
            start_at_ms: i64,
            ttl_seconds: i64,
            dry_run: bool,
            responses: &'a str,
            doubt: &'a str,
            feed: bool,
        }
        let stored: Stored<'_> = serde_json::from_str(json).ok()?;
        Some(Self {
            template: stored.template.get().to_owned(),
            when: find(&WHEN, stored.when)?,
            rate: stored.rate,
            start_at_ms: stored.start_at_ms,
            ttl_s: stored.ttl_seconds,
            is_dry_run: stored.dry_run,
            responses: find(&RESPONSES, stored.responses)?,
            doubt: find(&DOUBT, stored.doubt)?,
            feed: stored.feed,
        })
    }
}

fn start_at(object: &mut Object<'_>, now_ms: i64) -> Result<i64, Error> {
    let Some(text) = object.string("startAt")? else { return Ok(0) };
    let Some(ms) = parse_rfc3339(&text) else {
        return Err(object.invalid("startAt", "must be an RFC 3339 time"));
    };
    if ms > now_ms.saturating_add(CAMPAIGN_START_AHEAD_MS) {
        let latest = rfc3339(now_ms.saturating_add(CAMPAIGN_START_AHEAD_MS));
        return Err(object.beyond("startAt", &format!("must not be after {latest}, in 7 days")));
    }
    Ok(ms.max(0))
}

fn one_of<T: Copy>(
    object: &mut Object<'_>,
    name: &str,
    words: &[(&str, T)],
) -> Result<Option<T>, Error> {
    let Some(text) = object.string(name)? else { return Ok(None) };
    find(words, &text).map(Some).ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        object.invalid(name, &format!("must be one of {}", names.join(", ")))
    })
}

fn find<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}
