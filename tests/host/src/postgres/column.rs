//! Conversion of values from Postgres to a component.
//!
//! Exactly as in Spin: types without a value of their own (json, enums, names, most arrays) arrive
//! as the bytes that Postgres sent, and a `timestamptz` does not arrive at all.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use postgres_range::{Normalizable, Range};
use rust_decimal::Decimal;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use super::types::{self, Bound, Interval, RangeDecimal, Raw};
use crate::bindings::postgres::{Column, DbDataType, DbValue};

type Bounds<T> = (Option<Bound<T>>, Option<Bound<T>>);

pub(crate) fn columns(row: &Row) -> Vec<Column> {
    let columns = row.columns().iter();
    columns
        .map(|column| Column {
            name: column.name().to_owned(),
            data_type: data_type(column.type_()),
        })
        .collect()
}

fn data_type(from: &Type) -> DbDataType {
    match *from {
        Type::BOOL => DbDataType::Boolean,
        Type::BYTEA => DbDataType::Binary,
        Type::FLOAT4 => DbDataType::Floating32,
        Type::FLOAT8 => DbDataType::Floating64,
        Type::INT2 => DbDataType::Int16,
        Type::INT4 => DbDataType::Int32,
        Type::INT8 => DbDataType::Int64,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => DbDataType::Str,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => DbDataType::Datetime,
        Type::DATE => DbDataType::Date,
        Type::TIME => DbDataType::Time,
        Type::UUID => DbDataType::Uuid,
        Type::JSONB => DbDataType::Jsonb,
        Type::NUMERIC => DbDataType::Decimal,
        Type::INT4_RANGE => DbDataType::RangeInt32,
        Type::INT8_RANGE => DbDataType::RangeInt64,
        Type::NUM_RANGE => DbDataType::RangeDecimal,
        Type::INT4_ARRAY => DbDataType::ArrayInt32,
        Type::INT8_ARRAY => DbDataType::ArrayInt64,
        Type::NUMERIC_ARRAY => DbDataType::ArrayDecimal,
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => DbDataType::ArrayStr,
        Type::INTERVAL => DbDataType::Interval,
        _ => DbDataType::Other(from.name().to_owned()),
    }
}

pub(crate) fn values(row: &Row) -> anyhow::Result<Vec<DbValue>> {
    (0..row.len()).map(|index| value(row, index)).collect()
}

fn value(row: &Row, index: usize) -> anyhow::Result<DbValue> {
    match *row.columns()[index].type_() {
        Type::BOOL => get(row, index, DbValue::Boolean),
        Type::BYTEA => get(row, index, DbValue::Binary),
        Type::FLOAT4 => get(row, index, DbValue::Floating32),
        Type::FLOAT8 => get(row, index, DbValue::Floating64),
        Type::INT2 => get(row, index, DbValue::Int16),
        Type::INT4 => get(row, index, DbValue::Int32),
        Type::INT8 => get(row, index, DbValue::Int64),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => get(row, index, DbValue::Str),
        // The second one always fails, as in Spin: it cannot be read as a NaiveDateTime.
        Type::TIMESTAMP | Type::TIMESTAMPTZ => try_get(row, index, datetime),
        Type::DATE => try_get(row, index, date),
        Type::TIME => try_get(row, index, time),
        Type::UUID => get(row, index, |uuid: Uuid| DbValue::Uuid(uuid.to_string())),
        Type::JSONB => try_get(row, index, jsonb),
        Type::NUMERIC => get(row, index, |value: Decimal| DbValue::Decimal(value.to_string())),
        Type::INT4_RANGE => get(row, index, |range| DbValue::RangeInt32(bounds(&range, |n| *n))),
        Type::INT8_RANGE => get(row, index, |range| DbValue::RangeInt64(bounds(&range, |n| *n))),
        Type::NUM_RANGE => get(row, index, |range: Range<RangeDecimal>| {
            DbValue::RangeDecimal(bounds(&range, |value| value.0.to_string()))
        }),
        Type::INT4_ARRAY => get(row, index, DbValue::ArrayInt32),
        Type::INT8_ARRAY => get(row, index, DbValue::ArrayInt64),
        Type::NUMERIC_ARRAY => get(row, index, |values: Vec<Option<Decimal>>| {
            let texts = values.into_iter().map(|value| value.map(|value| value.to_string()));
            DbValue::ArrayDecimal(texts.collect())
        }),
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => {
            get(row, index, DbValue::ArrayStr)
        }
        Type::INTERVAL => get(row, index, |value: Interval| DbValue::Interval(value.0)),
        _ => get(row, index, |raw: Raw| DbValue::Unsupported(raw.0)),
    }
}

fn get<'a, T: FromSql<'a>>(
    row: &'a Row,
    index: usize,
    convert: impl FnOnce(T) -> DbValue,
) -> anyhow::Result<DbValue> {
    try_get(row, index, |value| Ok(convert(value)))
}

fn try_get<'a, T: FromSql<'a>>(
    row: &'a Row,
    index: usize,
    convert: impl FnOnce(T) -> anyhow::Result<DbValue>,
) -> anyhow::Result<DbValue> {
    let value: Option<T> = row.try_get(index)?;
    value.map_or(Ok(DbValue::DbNull), convert)
}

fn datetime(value: NaiveDateTime) -> anyhow::Result<DbValue> {
    let (year, month, day) = year_month_day(value.date())?;
    let (hour, minute, second, nanosecond) = of_the_day(value.time())?;
    Ok(DbValue::Datetime((year, month, day, hour, minute, second, nanosecond)))
}

fn date(value: NaiveDate) -> anyhow::Result<DbValue> {
    Ok(DbValue::Date(year_month_day(value)?))
}

fn time(value: NaiveTime) -> anyhow::Result<DbValue> {
    Ok(DbValue::Time(of_the_day(value)?))
}

fn year_month_day(value: NaiveDate) -> anyhow::Result<(i32, u8, u8)> {
    Ok((value.year(), value.month().try_into()?, value.day().try_into()?))
}

fn of_the_day(value: NaiveTime) -> anyhow::Result<(u8, u8, u8, u32)> {
    let (hour, minute) = (value.hour().try_into()?, value.minute().try_into()?);
    Ok((hour, minute, value.second().try_into()?, value.nanosecond()))
}

/// Serialised again, so members may have another order and numbers another notation than Postgres
/// would print.
fn jsonb(value: serde_json::Value) -> anyhow::Result<DbValue> {
    Ok(DbValue::Jsonb(serde_json::to_vec(&value)?))
}

/// An empty range looks like an unbounded one.
fn bounds<T: PartialOrd + Normalizable, U>(
    range: &Range<T>,
    convert: impl Fn(&T) -> U,
) -> Bounds<U> {
    let lower = range.lower().map(|bound| (convert(&bound.value), types::kind(bound.type_)));
    let upper = range.upper().map(|bound| (convert(&bound.value), types::kind(bound.type_)));
    (lower, upper)
}

/// Counts like Spin.
pub(crate) fn row_bytes(row: &[DbValue]) -> usize {
    let texts = |texts: &[Option<String>]| -> usize {
        let text = |text: &Option<String>| size_of_val(text) + text.as_ref().map_or(0, String::len);
        texts.iter().map(text).sum()
    };
    let more = |value: &DbValue| match value {
        DbValue::ArrayInt32(numbers) => size_of_val(numbers.as_slice()),
        DbValue::ArrayInt64(numbers) => size_of_val(numbers.as_slice()),
        DbValue::ArrayDecimal(array) | DbValue::ArrayStr(array) => texts(array),
        DbValue::Str(text) | DbValue::Uuid(text) | DbValue::Decimal(text) => text.len(),
        DbValue::Jsonb(bytes) | DbValue::Binary(bytes) | DbValue::Unsupported(bytes) => bytes.len(),
        _ => 0,
    };
    row.iter().map(|value| size_of::<DbValue>() + more(value)).sum()
}
