//! Types that the client library lacks: NULL of any type, intervals, raw bytes, decimals in
//! ranges.

use std::error::Error;

use bytes::{Buf, BufMut, BytesMut};
use postgres_range::{BoundSided, BoundType, Normalizable, RangeBound};
use rust_decimal::Decimal;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::bindings::postgres::{Interval as WitInterval, RangeBoundKind};

type Failure = Box<dyn Error + Sync + Send>;

/// One end of a range in the interface.
pub(crate) type Bound<T> = (T, RangeBoundKind);

pub(crate) fn kind(kind: BoundType) -> RangeBoundKind {
    match kind {
        BoundType::Inclusive => RangeBoundKind::Inclusive,
        BoundType::Exclusive => RangeBoundKind::Exclusive,
    }
}

pub(crate) fn bound_type(kind: RangeBoundKind) -> BoundType {
    match kind {
        RangeBoundKind::Inclusive => BoundType::Inclusive,
        RangeBoundKind::Exclusive => BoundType::Exclusive,
    }
}

/// NULL of any type: `Option::<T>::None` would only fit where `T` fits.
#[derive(Debug)]
pub(crate) struct Null;

impl ToSql for Null {
    fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, Failure> {
        Ok(IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The bytes from Postgres, for types without a value of their own.
#[derive(Debug)]
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl FromSql<'_> for Raw {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Failure> {
        Ok(Self(raw.to_owned()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// `interval`, in the parts that Postgres stores.
#[derive(Debug)]
pub(crate) struct Interval(pub(crate) WitInterval);

impl ToSql for Interval {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        out.put_i64(self.0.micros);
        out.put_i32(self.0.days);
        out.put_i32(self.0.months);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::INTERVAL
    }

    to_sql_checked!();
}

impl FromSql<'_> for Interval {
    fn from_sql(_: &Type, mut raw: &[u8]) -> Result<Self, Failure> {
        // 8 bytes of microseconds, 4 of days, 4 of months.
        if raw.len() != 16 {
            return Err("unexpected binary format for Postgres INTERVAL".into());
        }
        let (micros, days, months) = (raw.get_i64(), raw.get_i32(), raw.get_i32());
        Ok(Self(WitInterval { micros, days, months }))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::INTERVAL
    }
}

/// A decimal that can be a bound of a range.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct RangeDecimal(pub(crate) Decimal);

impl Normalizable for RangeDecimal {
    fn normalize<S: BoundSided>(bound: RangeBound<S, Self>) -> RangeBound<S, Self> {
        bound
    }
}

impl ToSql for RangeDecimal {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        self.0.to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <Decimal as ToSql>::accepts(ty)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for RangeDecimal {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Decimal::from_sql(ty, raw).map(Self)
    }

    fn accepts(ty: &Type) -> bool {
        <Decimal as FromSql>::accepts(ty)
    }
}
