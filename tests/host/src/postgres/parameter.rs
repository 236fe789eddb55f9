//! Conversion of parameters from a component to Postgres.
//!
//! The statement decides a parameter's type; as in Spin, a value of another type is an error of the
//! client library, even `int32` where Postgres expects a `bigint`.

use anyhow::{Context, ensure};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use postgres_range::{BoundSided, Normalizable, Range, RangeBound};
use rust_decimal::Decimal;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::types::{Bound, Interval, Null, RangeDecimal, bound_type};
use crate::bindings::postgres::{ParameterValue, RangeBoundKind};

pub(crate) type Parameter = Box<dyn ToSql + Sync + Send>;

pub(crate) fn parameters(values: &[ParameterValue]) -> anyhow::Result<Vec<Parameter>> {
    values.iter().map(parameter).collect()
}

fn parameter(value: &ParameterValue) -> anyhow::Result<Parameter> {
    Ok(match value {
        ParameterValue::Boolean(value) => Box::new(*value),
        ParameterValue::Int8(value) => Box::new(*value),
        ParameterValue::Int16(value) => Box::new(*value),
        ParameterValue::Int32(value) => Box::new(*value),
        ParameterValue::Int64(value) => Box::new(*value),
        ParameterValue::Floating32(value) => Box::new(*value),
        ParameterValue::Floating64(value) => Box::new(*value),
        ParameterValue::Str(value) => Box::new(value.clone()),
        ParameterValue::Binary(value) => Box::new(value.clone()),
        ParameterValue::Date((year, month, day)) => Box::new(date(*year, *month, *day)?),
        ParameterValue::Time((hour, minute, second, nanosecond)) => {
            Box::new(time(*hour, *minute, *second, *nanosecond)?)
        }
        ParameterValue::Datetime((year, month, day, hour, minute, second, nanosecond)) => {
            let date = date(*year, *month, *day)?;
            let time = time(*hour, *minute, *second, *nanosecond)?;
            Box::new(NaiveDateTime::new(date, time))
        }
        ParameterValue::Timestamp(seconds) => {
            let time = DateTime::<Utc>::from_timestamp(*seconds, 0);
            Box::new(time.with_context(|| format!("invalid epoch timestamp {seconds}"))?)
        }
        ParameterValue::Uuid(text) => {
            Box::new(Uuid::parse_str(text).with_context(|| format!("invalid UUID {text}"))?)
        }
        ParameterValue::Jsonb(bytes) => Box::new(jsonb(bytes)?),
        ParameterValue::Decimal(text) => Box::new(decimal(text)?),
        ParameterValue::RangeInt32((lower, upper)) => {
            check_ends([lower, upper], i32::MAX)?;
            Box::new(Range::new(lower.map(bound), upper.map(bound)))
        }
        ParameterValue::RangeInt64((lower, upper)) => {
            check_ends([lower, upper], i64::MAX)?;
            Box::new(Range::new(lower.map(bound), upper.map(bound)))
        }
        ParameterValue::RangeDecimal((lower, upper)) => {
            let lower = lower.as_ref().map(decimal_bound).transpose()?;
            let upper = upper.as_ref().map(decimal_bound).transpose()?;
            Box::new(Range::new(lower.map(bound), upper.map(bound)))
        }
        ParameterValue::ArrayInt32(values) => Box::new(values.clone()),
        ParameterValue::ArrayInt64(values) => Box::new(values.clone()),
        ParameterValue::ArrayDecimal(texts) => {
            let values = texts.iter().map(|text| text.as_deref().map(decimal).transpose());
            Box::new(values.collect::<anyhow::Result<Vec<_>>>()?)
        }
        ParameterValue::ArrayStr(values) => Box::new(values.clone()),
        ParameterValue::Interval(value) => Box::new(Interval(*value)),
        ParameterValue::DbNull => Box::new(Null),
    })
}

fn date(year: i32, month: u8, day: u8) -> anyhow::Result<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month.into(), day.into())
        .with_context(|| format!("invalid date y={year}, m={month}, d={day}"))
}

fn time(hour: u8, minute: u8, second: u8, nanosecond: u32) -> anyhow::Result<NaiveTime> {
    NaiveTime::from_hms_nano_opt(hour.into(), minute.into(), second.into(), nanosecond)
        .with_context(|| format!("invalid time {hour}:{minute}:{second}:{nanosecond}"))
}

/// Parsed and serialised again: Postgres does not get the component's exact bytes.
fn jsonb(bytes: &[u8]) -> anyhow::Result<serde_json::Value> {
    serde_json::from_slice(bytes)
        .with_context(|| format!("invalid JSON {}", String::from_utf8_lossy(bytes)))
}

fn decimal(text: &str) -> anyhow::Result<Decimal> {
    Decimal::from_str_exact(text).with_context(|| format!("invalid decimal {text}"))
}

fn decimal_bound((text, kind): &Bound<String>) -> anyhow::Result<Bound<RangeDecimal>> {
    Ok((RangeDecimal(decimal(text)?), *kind))
}

fn bound<S: BoundSided, T: Normalizable + PartialOrd>((value, kind): Bound<T>) -> RangeBound<S, T> {
    RangeBound::new(value, bound_type(kind))
}

/// The library adds 1 to an end where Postgres would, and panics on overflow, in Spin too.
fn check_ends<T: PartialEq>([lower, upper]: [&Option<Bound<T>>; 2], max: T) -> anyhow::Result<()> {
    let is_over = |end: &Option<Bound<T>>, moved: RangeBoundKind| {
        end.as_ref().is_some_and(|(value, kind)| *value == max && *kind == moved)
    };
    let is_valid =
        !is_over(lower, RangeBoundKind::Exclusive) && !is_over(upper, RangeBoundKind::Inclusive);
    ensure!(is_valid, "a bound of the range is out of range");
    Ok(())
}
