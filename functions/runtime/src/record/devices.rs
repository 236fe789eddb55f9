//! Devices and preferences in the record. A user's push token is one of the devices, under the name
//! `default`; its row is in the table of push tokens.

use std::fmt;

use serde::Serialize;
use shared::device::{Device, Kind};
use shared::limits::DEVICES_MAX;
use shared::{DeviceName, Preferences, PushToken, UserId};

use super::rows::{Row, Rows, count, json, revs_from_json, user_id};
use super::{Record, RecordError};
use crate::ports::sql::{Sql, Value};

/// A device, without its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDevice {
    /// The name.
    pub name: String,
    /// The service that delivers to it: `fcm`, `webpush` or `apns`.
    pub kind: String,
    /// The language tag of its texts.
    pub locale: Option<String>,
    /// An IANA name.
    pub time_zone: Option<String>,
    /// Time of its last registration, in milliseconds since the Unix epoch; unknown for a push token
    /// that another service stored.
    pub seen_at_ms: Option<i64>,
}

impl KnownDevice {
    /// The default device of a user whose push token another service stored.
    pub fn foreign() -> Self {
        Self {
            name: DeviceName::DEFAULT.to_owned(),
            kind: Kind::Fcm.as_str().to_owned(),
            locale: None,
            time_zone: None,
            seen_at_ms: None,
        }
    }
}

/// A device with its address. Serialized, it is what the push worker is told, with the members of
/// the address beside the others.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressedDevice {
    /// The name.
    pub device: String,
    /// The service that delivers to it: `fcm`, `webpush` or `apns`.
    pub kind: String,
    /// The revision that a removal must name; for the push token that of its row.
    pub rev: i64,
    /// The language tag of its texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// An IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The members of the address by kind: `token`; `endpoint`, `p256dh`, `auth`; `token`, `topic`,
    /// `environment`.
    #[serde(flatten)]
    pub address: serde_json::Map<String, serde_json::Value>,
}

impl fmt::Debug for AddressedDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, kind, rev, .. } = self;
        write!(f, "AddressedDevice({device}, {kind}, {rev})")
    }
}

/// Where and whether a user is sent pushes.
#[derive(Clone, Debug, PartialEq)]
pub struct Addresses {
    /// The user.
    pub user: UserId,
    /// The devices, the push token among them.
    pub devices: Vec<AddressedDevice>,
    /// What the user wants; the default if nothing is stored.
    pub preferences: Preferences,
}

/// A row of `addresses.sql`: its second column.
type AddressRow = (
    String,
    String,
    i64,
    serde_json::Map<String, serde_json::Value>,
    Option<String>,
    Option<String>,
);

/// Devices.
impl<S: Sql> Record<S> {
    /// Registers a device, other than the default one, and removes its address from its previous
    /// owner. Returns the users that lost it as their push token, with the revisions of their rows;
    /// a repeat returns them again. `None` if the user has [`DEVICES_MAX`] others.
    ///
    /// # Errors
    /// [`RecordError`]; the write may have taken effect.
    pub async fn put_device(
        &self,
        user: &UserId,
        name: &DeviceName,
        device: &Device,
        now_ms: i64,
    ) -> Result<Option<Vec<(UserId, i64)>>, RecordError> {
        let parameters = vec![
            Value::text(user.as_str()),
            Value::text(name.as_str()),
            Value::text(device.address.kind().as_str()),
            Value::Text(device.address.to_json()),
            Value::Text(device.address.digest()),
            Value::optional(device.locale.as_deref()),
            Value::optional(device.time_zone.as_deref()),
            Value::Int(now_ms),
            count(DEVICES_MAX),
        ];
        let rows = self.run_row(self.statements.put_device(), parameters).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut row = Row::first(rows)?;
        row.int()?;
        Ok(Some(revs_from_json(&row.text()?)?))
    }

    /// Notes locale and time zone of the default device, if `token` is still the user's push token.
    ///
    /// # Errors
    /// [`RecordError`]; the write may have taken effect.
    pub async fn describe_default(
        &self,
        user: &UserId,
        token: &PushToken,
        locale: Option<&str>,
        time_zone: Option<&str>,
    ) -> Result<(), RecordError> {
        let parameters = vec![
            Value::text(user.as_str()),
            Value::Text(token.digest()),
            Value::optional(locale),
            Value::optional(time_zone),
        ];
        self.run(self.statements.describe_default(), parameters).await.map(drop)
    }

    /// A user's devices, the push token among them, by name.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn devices(&self, user: &UserId) -> Result<Vec<KnownDevice>, RecordError> {
        let rows = self.run(self.statements.devices(), vec![Value::text(user.as_str())]).await?;
        let devices = rows.into_iter().map(|values| {
            let mut row = Row::new(values);
            Ok(KnownDevice {
                name: row.text()?,
                kind: row.text()?,
                locale: row.optional_text()?,
                time_zone: row.optional_text()?,
                seen_at_ms: Some(row.int()?),
            })
        });
        devices.collect()
    }

    /// Removes a device other than the default one, if there is one of this name.
    ///
    /// # Errors
    /// [`RecordError`]; the write may have taken effect.
    pub async fn delete_device(&self, user: &UserId, name: &DeviceName) -> Result<(), RecordError> {
        let parameters = vec![Value::text(user.as_str()), Value::text(name.as_str())];
        self.run(self.statements.delete_device(), parameters).await.map(drop)
    }

    /// Removes devices other than the default ones from users that still have them with this
    /// revision, and returns the number removed.
    ///
    /// # Errors
    /// [`RecordError`]; the write may have taken effect.
    pub async fn remove_devices(
        &self,
        dead: &[(UserId, DeviceName, i64)],
    ) -> Result<usize, RecordError> {
        if dead.is_empty() {
            return Ok(0);
        }
        let items = dead.iter().map(|(user, name, rev)| (user.as_str(), name.as_str(), rev));
        let parameters = vec![json(&items.collect::<Vec<_>>())?];
        Ok(self.run(self.statements.remove_devices(), parameters).await?.len())
    }

    /// The users among these that have [`DEVICES_MAX`] devices without a push token.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn full_users(&self, users: &[&UserId]) -> Result<Vec<UserId>, RecordError> {
        let parameters = vec![users_json(users.iter().copied())?, count(DEVICES_MAX)];
        let rows = self.run(self.statements.full_users(), parameters).await?;
        rows.into_iter().map(|values| user_id(&Row::new(values).text()?)).collect()
    }

    /// Devices with their addresses, and preferences, of each of these users, in their order.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn addresses(&self, users: &[UserId]) -> Result<Vec<Addresses>, RecordError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        addressed(self.run(self.statements.addresses(), vec![users_json(users.iter())?]).await?)
    }

    /// Removes all devices of a user but the default one, and the preferences (two statements).
    ///
    /// # Errors
    /// [`RecordError`]; a write may have taken effect.
    pub async fn erase_devices(&self, user: &UserId) -> Result<(), RecordError> {
        let user_id = Value::text(user.as_str());
        self.run(self.statements.erase_devices(), vec![user_id.clone()]).await?;
        self.run(self.statements.erase_preference(), vec![user_id]).await.map(drop)
    }

    /// What a user wants to receive; the default if nothing is stored.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn preferences(&self, user: &UserId) -> Result<Preferences, RecordError> {
        let parameters = vec![Value::text(user.as_str())];
        let rows = self.run_row(self.statements.preference(), parameters).await?;
        match rows.is_empty() {
            true => Ok(Preferences::default()),
            false => wanted(&Row::first(rows)?.text()?),
        }
    }

    /// Replaces what a user wants to receive.
    ///
    /// # Errors
    /// [`RecordError`]; the write may have taken effect.
    pub async fn put_preferences(
        &self,
        user: &UserId,
        preferences: &Preferences,
        now_ms: i64,
    ) -> Result<(), RecordError> {
        let parameters = vec![
            Value::text(user.as_str()),
            Value::Text(preferences.to_json()),
            Value::Int(now_ms),
        ];
        self.run(self.statements.put_preference(), parameters).await.map(drop)
    }
}

fn users_json<'a>(users: impl Iterator<Item = &'a UserId>) -> Result<Value, RecordError> {
    json(&users.map(UserId::as_str).collect::<Vec<_>>())
}

/// Parses rows of user, devices, preferences.
fn addressed(rows: Rows) -> Result<Vec<Addresses>, RecordError> {
    let users = rows.into_iter().map(|values| {
        let mut row = Row::new(values);
        let (user, devices, preferences) = (row.text()?, row.text()?, row.optional_text()?);
        let devices: Vec<AddressRow> = serde_json::from_str(&devices).map_err(malformed)?;
        let devices = devices.into_iter().map(|(device, kind, rev, address, locale, time_zone)| {
            AddressedDevice { device, kind, rev, locale, time_zone, address }
        });
        Ok(Addresses {
            user: user_id(&user)?,
            devices: devices.collect(),
            preferences: preferences.as_deref().map(wanted).transpose()?.unwrap_or_default(),
        })
    });
    users.collect()
}

fn wanted(text: &str) -> Result<Preferences, RecordError> {
    Preferences::from_json(text).map_err(malformed)
}

/// The error's text names types and a place, no values.
fn malformed(error: serde_json::Error) -> RecordError {
    RecordError::Malformed(format!("at column {}: {:?}", error.column(), error.classify()))
}
