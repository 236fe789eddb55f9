//! Devices and preferences of users.

use serde_json::{Value, json};
use shared::Code;
use shared::auth::Scope;
use shared::device::{Environment, Kind};
use shared::limits::{
    APNS_TOKEN_HEX_MAX, APNS_TOPIC_BYTES_MAX, DEVICES_MAX, KIND_CHARS_MAX, LOCALE_BYTES_MAX,
    PREFERENCE_KINDS_MAX, REQUEST_BYTES_MAX, WEBPUSH_ENDPOINT_BYTES_MAX,
};

use super::BOTH;
use crate::operation::Operation;
use crate::schema::{
    NO_NUL, about, flag, list, map, named, object, one_of, pattern, request, text, time,
    with_default, words,
};
use crate::schemas::{Named, id};

pub fn schemas() -> Vec<Named> {
    let kinds = Kind::ALL.map(Kind::as_str);
    let seen = "When it was registered last; absent if another service stored its token.";
    let mut all = addresses();
    all.extend(preferences());
    all.extend([
        ("DeviceName", id("The name of a device, chosen by the client.")),
        (
            "Device",
            object([
                ("device", named("DeviceName")),
                ("kind", about(words(&kinds), "The service that delivers to it.")),
                ("locale?", text()),
                ("timeZone?", text()),
                ("seenAt?", about(time(), seen)),
            ]),
        ),
        ("Devices", object([("items", about(list(named("Device")), "By name."))])),
    ]);
    all
}

fn addresses() -> Vec<Named> {
    let limited = |expression: &str, length_max: usize| {
        let mut schema = pattern(expression);
        schema["maxLength"] = length_max.into();
        schema
    };
    let https = r#"^https://[!"$-.0-9;->@-~][!-~]*$"#;
    let endpoint = limited(https, WEBPUSH_ENDPOINT_BYTES_MAX);
    // 65 bytes that begin with 4, and 16 bytes: the last letter has spare bits.
    let p256dh = pattern("^B[A-P][A-Za-z0-9_-]{84}[AEIMQUYcgkosw048]=?$");
    let auth = pattern("^[A-Za-z0-9_-]{21}[AQgw]={0,2}$");
    let keys = request([
        ("p256dh", about(p256dh, "A point of P-256 in base64url.")),
        ("auth", about(auth, "16 bytes in base64url.")),
    ]);
    let expiration = about(json!({"type": "number"}), "Not used.");
    let subscription = request([
        ("endpoint", about(endpoint, "An https URL.")),
        ("keys", keys),
        ("expirationTime?", expiration),
    ]);
    let locale = limited("^[A-Za-z0-9]+([-_][A-Za-z0-9]+)*$", LOCALE_BYTES_MAX);
    let locale = || about(locale.clone(), "The language of texts, as in `pt-BR`.");
    let environment = with_default(words(&Environment::ALL.map(Environment::as_str)), "production");
    vec![
        ("TimeZone", about(pattern(NO_NUL), "A name of the IANA database, as in `Europe/Berlin`.")),
        ("PushSubscription", about(subscription, "`PushSubscription.toJSON()` of a browser.")),
        (
            "FcmDeviceInput",
            request([
                ("kind", words(&[Kind::Fcm.as_str()])),
                ("token", named("PushToken")),
                ("locale?", locale()),
                ("timeZone?", named("TimeZone")),
            ]),
        ),
        (
            "WebPushDeviceInput",
            request([
                ("kind", words(&[Kind::WebPush.as_str()])),
                ("subscription", named("PushSubscription")),
                ("locale?", locale()),
                ("timeZone?", named("TimeZone")),
            ]),
        ),
        (
            "ApnsDeviceInput",
            request([
                ("kind", words(&[Kind::Apns.as_str()])),
                ("token", limited("^[0-9A-Fa-f]+$", APNS_TOKEN_HEX_MAX)),
                (
                    "topic",
                    about(limited("^[A-Za-z0-9.-]+$", APNS_TOPIC_BYTES_MAX), "The bundle id."),
                ),
                ("environment?", environment),
                ("locale?", locale()),
                ("timeZone?", named("TimeZone")),
            ]),
        ),
        (
            "DeviceInput",
            one_of(&[
                named("FcmDeviceInput"),
                named("WebPushDeviceInput"),
                named("ApnsDeviceInput"),
            ]),
        ),
    ]
}

fn preferences() -> Vec<Named> {
    let kind = |form: Form| {
        form.object([
            ("push?", about(flag(), "Whether pushes are sent.")),
            (
                "feed?",
                about(
                    flag(),
                    "`false`: new notifications of this kind are read from the start and not \
                     delivered live.",
                ),
            ),
        ])
    };
    let kinds = |form: Form| {
        let mut kinds = map(named(form.kind_name()));
        if form == Form::Request {
            kinds["maxProperties"] = PREFERENCE_KINDS_MAX.into();
            kinds["propertyNames"] =
                json!({"minLength": 1, "maxLength": KIND_CHARS_MAX, "pattern": NO_NUL});
        }
        about(kinds, "By the kind of a notification.")
    };
    let clock = || pattern("^([01][0-9]|2[0-3]):[0-5][0-9]$");
    let zone = |form: Form| match form {
        Form::Request => named("TimeZone"),
        Form::Answer => text(),
    };
    let quiet = |form: Form| {
        let hours = form.object([("from", clock()), ("to", clock()), ("timeZone", zone(form))]);
        about(hours, "A time of each day in which no push is sent.")
    };
    let whole = |form: Form, quiet: &str| {
        form.object([
            ("push?", about(flag(), "Whether pushes are sent at all.")),
            ("kinds?", kinds(form)),
            ("quietHours?", named(quiet)),
        ])
    };
    let (request, answer) = (Form::Request, Form::Answer);
    vec![
        (request.kind_name(), kind(request)),
        (answer.kind_name(), kind(answer)),
        ("QuietHoursInput", quiet(request)),
        ("QuietHours", quiet(answer)),
        ("PreferencesInput", whole(request, "QuietHoursInput")),
        ("Preferences", about(whole(answer, "QuietHours"), "What is absent is wanted.")),
    ]
}

/// A request's object may have `null` for an optional member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Request,
    Answer,
}

impl Form {
    fn object<const N: usize>(self, members: [(&str, Value); N]) -> Value {
        match self {
            Form::Request => request(members),
            Form::Answer => object(members),
        }
    }

    fn kind_name(self) -> &'static str {
        match self {
            Form::Request => "KindPreferenceInput",
            Form::Answer => "KindPreference",
        }
    }
}

pub fn operations() -> Vec<Operation> {
    let device = json!({
        "device": "phone", "kind": "fcm", "locale": "de", "timeZone": "Europe/Berlin",
        "seenAt": "2026-11-30T12:00:00.000Z",
    });
    let wanted = json!({
        "kinds": {"newsletter": {"push": false}},
        "quietHours": {"from": "22:00", "to": "07:00", "timeZone": "Europe/Berlin"},
    });
    vec![
        new("listDevices", "get /users/{user}/devices", "Lists a user's devices.")
            .says("Addresses are not shown. The device `default` is the user's push token.")
            .self_or(Scope::TokensRead)
            .answers(200, "The devices.", named("Devices"))
            .shows(200, json!({ "items": [device] })),
        new("readDevice", "get /users/{user}/devices/{device}", "Reads a device.")
            .says("Its address is not shown.")
            .self_or(Scope::TokensRead)
            .answers(200, "The device.", named("Device"))
            .shows(200, device)
            .fails(&[Code::NotFound]),
        new("writeDevice", "put /users/{user}/devices/{device}", "Registers a device.")
            .says(format!(
                "If another device or user has the address, it loses it. A user has at most \
                 {DEVICES_MAX} devices. The device `default` is the user's push token and of kind \
                 `fcm`."
            ))
            .self_or(Scope::TokensWrite)
            .body(named("DeviceInput"), REQUEST_BYTES_MAX)
            .example(json!({"kind": "fcm", "token": "d1:token", "locale": "de"}))
            .empty(204, "The device is registered."),
        new("deleteDevice", "delete /users/{user}/devices/{device}", "Removes a device.")
            .self_or(Scope::TokensWrite)
            .empty(204, "The user has no such device."),
        new("readPreferences", "get /users/{user}/preferences", "Reads a user's preferences.")
            .self_or(Scope::TokensRead)
            .answers(200, "The preferences.", named("Preferences"))
            .shows(200, wanted.clone()),
        new("writePreferences", "put /users/{user}/preferences", "Sets a user's preferences.")
            .says("They replace all earlier ones.")
            .self_or(Scope::TokensWrite)
            .body(named("PreferencesInput"), REQUEST_BYTES_MAX)
            .example(wanted)
            .empty(204, "The preferences are stored."),
    ]
}

fn new(id: &'static str, head: &'static str, summary: &'static str) -> Operation {
    Operation::new("tokens", id, head, summary).fails(&BOTH)
}
