//! A user's devices: the push token, which is the device `default` and shared with other services in
//! Redis, and those that only the record has.

use shared::device::{Address, Device};
use shared::{Code, DeviceName, Error, UserId};

use crate::ports::redis::Redis;
use crate::ports::sql::Sql;
use crate::push_tokens;
use crate::record::{KnownDevice, Record};

/// Registers a device; its address leaves every other one, also a user's push token.
///
/// # Errors
/// `invalid_field` for a default device that is not of kind fcm; `limit_exceeded`;
/// `record_unavailable`; `redis_unavailable` or `wrong_type` if a push token is not yet in Redis as
/// in the record.
pub async fn put(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    name: &DeviceName,
    device: &Device,
    now_ms: i64,
) -> Result<(), Error> {
    if name.is_default() {
        return put_default(redis, record, user, device, now_ms).await;
    }
    let losers = record.put_device(user, name, device, now_ms).await?;
    let losers = losers.ok_or_else(|| push_tokens::too_many_devices(Some(user)))?;
    match &device.address {
        Address::Fcm { token } => push_tokens::drop_lost(redis, &losers, token).await,
        Address::WebPush { .. } | Address::Apns { .. } => Ok(()),
    }
}

async fn put_default(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    device: &Device,
    now_ms: i64,
) -> Result<(), Error> {
    let Address::Fcm { token } = &device.address else {
        let problem = "`kind` must be fcm: the device `default` is the user's push token";
        return Err(Error::field(Code::InvalidField, "kind", problem));
    };
    push_tokens::put(redis, record, vec![(user.clone(), token.clone())], now_ms).await?;
    let (locale, time_zone) = (device.locale.as_deref(), device.time_zone.as_deref());
    record.describe_default(user, token, locale, time_zone).await?;
    Ok(())
}

/// A user's devices by name. The default one is there if the user has a push token, also one that
/// another service stored.
///
/// # Errors
/// `record_unavailable`; `wrong_type`.
pub async fn list(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
) -> Result<Vec<KnownDevice>, Error> {
    let mut devices = record.devices(user).await?;
    let is_default = |device: &KnownDevice| device.name == DeviceName::DEFAULT;
    if push_tokens::read(redis, record, user).await?.is_none() {
        devices.retain(|device| !is_default(device));
    } else if !devices.iter().any(is_default) {
        devices.push(KnownDevice::foreign());
        devices.sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok(devices)
}

/// Removes a device, if there is one of this name.
///
/// # Errors
/// `record_unavailable`; for the default device also as [`push_tokens::remove`].
pub async fn remove(
    redis: &impl Redis,
    record: &Record<impl Sql>,
    user: &UserId,
    name: &DeviceName,
    now_ms: i64,
) -> Result<(), Error> {
    match name.is_default() {
        true => push_tokens::remove(redis, record, user, now_ms).await,
        false => Ok(record.delete_device(user, name).await?),
    }
}
