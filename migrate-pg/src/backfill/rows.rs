//! A batch that Rust fills: its rows are locked and fetched together, converted one by one, and written back together,
//! each column as one array, in one transaction. What is locked cannot change between the two.

use super::error::BackfillError;
use super::target::Target;
use bytes::{BufMut, BytesMut};
use migrate_core::model::{Backfill, RowConverter, RowError};
use std::error::Error;
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type};
use tokio_postgres::{Client, Row};

/// What the columns of a conversion are, by what the server says of them.
pub(super) struct Shape {
    pub(super) read: Vec<Type>,
    pub(super) write: Vec<Type>,
    /// The types of the arrays that the key's columns and those that are filled travel in.
    key_arrays: Vec<Type>,
    write_arrays: Vec<Type>,
    pub(super) key: Vec<Type>,
}

impl Shape {
    pub(super) async fn find(
        client: &Client,
        target: &Target,
        backfill: &Backfill,
        converter: &dyn RowConverter,
    ) -> Result<Self, BackfillError> {
        let failed = |error| BackfillError::database(&target.table, "look its columns up")(error);
        let key: Vec<&str> = target.key.iter().map(|column| column.name.as_str()).collect();
        let names: Vec<&str> = [&key[..], backfill.read(), backfill.write()].concat();
        let sql = format!("SELECT {} FROM {} LIMIT 0", names.join(", "), target.table);
        // Described and not run; closed again when it is dropped.
        let described = client.prepare(&sql).await.map_err(failed)?;
        let types: Vec<Type> = described.columns().iter().map(|column| column.type_().clone()).collect();
        let oids: Vec<u32> = types.iter().map(Type::oid).collect();
        let arrays = client
            .query_typed(
                "SELECT t.typarray FROM unnest($1::oid[]) WITH ORDINALITY AS o(oid, place) \
                 JOIN pg_catalog.pg_type t ON t.oid = o.oid ORDER BY o.place",
                &[(&oids, Type::OID_ARRAY)],
            )
            .await
            .map_err(failed)?;
        let (reads, writes) = (key.len(), key.len() + backfill.read().len());
        let (read, write) = (&types[reads..writes], &types[writes..]);
        converter.fits(read, write).map_err(|(written, mismatch)| {
            let place = if written { writes } else { reads } + mismatch.column;
            BackfillError::Unfit {
                table: target.table.clone(),
                column: names.get(place).copied().unwrap_or_default().to_owned(),
                sql_type: types.get(place).map_or_else(String::new, |sql_type| sql_type.name().to_owned()),
                rust: mismatch.rust,
            }
        })?;
        let mut array_types = Vec::new();
        for (place, ((sql_type, name), row)) in types.iter().zip(&names).zip(&arrays).enumerate() {
            let oid: u32 = row.get(0);
            if oid == 0 && !(reads..writes).contains(&place) {
                return Err(BackfillError::NoArray {
                    table: target.table.clone(),
                    column: (*name).to_owned(),
                    sql_type: sql_type.name().to_owned(),
                });
            }
            let array = format!("{}[]", sql_type.name());
            array_types.push(Type::new(array, oid, Kind::Array(sql_type.clone()), sql_type.schema().to_owned()));
        }
        let shape = Self {
            read: read.to_vec(),
            write: write.to_vec(),
            key_arrays: array_types[..reads].to_vec(),
            write_arrays: array_types[writes..].to_vec(),
            key: types[..reads].to_vec(),
        };
        Ok(shape)
    }
}

/// Rows of a batch, converted.
pub(super) struct Converted {
    /// For each column of the key its values, and for each that is filled its values, as elements of arrays.
    key: Vec<BytesMut>,
    write: Vec<BytesMut>,
    count: i32,
    /// The keys of the rows that could not be converted, and why.
    bad_keys: Vec<BytesMut>,
    pub(super) bad: Vec<RowError>,
    /// The key of the last row that was looked at.
    last: Vec<Option<Vec<u8>>>,
    /// How many rows were looked at.
    pub(super) looked_at: usize,
}

impl Converted {
    /// Converts rows, each of them the key's columns and those that are read. Up to the first that cannot be converted,
    /// unless those are passed over.
    pub(super) fn of(rows: &[Row], shape: &Shape, converter: &dyn RowConverter, pass_over: bool) -> Self {
        let width = shape.key.len();
        let buffers = |count| vec![BytesMut::new(); count];
        let mut converted = Self {
            key: buffers(width),
            write: buffers(shape.write.len()),
            count: 0,
            bad_keys: buffers(width),
            bad: Vec::new(),
            last: Vec::new(),
            looked_at: 0,
        };
        for row in rows {
            let value = |place: usize| row.get::<_, Option<Raw<'_>>>(place).map(|raw| raw.0);
            let values: Vec<Option<&[u8]>> = (width..row.len()).map(value).collect();
            let outcome = converter.convert(&shape.read, &values, &shape.write, &mut converted.write);
            let bad = outcome.is_err();
            if let Err(error) = outcome {
                converted.bad.push(error);
            } else {
                converted.count += 1;
            }
            let keys = if bad { &mut converted.bad_keys } else { &mut converted.key };
            for (place, column) in keys.iter_mut().enumerate() {
                append(column, value(place));
            }
            if bad && !pass_over {
                break;
            }
            converted.last = (0..width).map(|place| value(place).map(<[u8]>::to_vec)).collect();
            converted.looked_at += 1;
        }
        converted
    }

    /// How many rows are to be written.
    pub(super) const fn count(&self) -> i32 {
        self.count
    }

    /// The parameters of the statement that writes them back.
    pub(super) fn parameters(&self, shape: &Shape, pass_over: bool) -> Vec<(Box<dyn ToSql + Sync + Send>, Type)> {
        let mut all: Vec<(Box<dyn ToSql + Sync + Send>, Type)> = Vec::new();
        let array = |sql_type: &Type, elements: &BytesMut, count: usize| {
            let array = RawArray { elements: elements.clone(), count: i32::try_from(count).unwrap_or(i32::MAX) };
            (Box::new(array) as Box<dyn ToSql + Sync + Send>, sql_type.clone())
        };
        let count = usize::try_from(self.count).unwrap_or(0);
        for (sql_type, column) in shape.key_arrays.iter().zip(&self.key) {
            all.push(array(sql_type, column, count));
        }
        for (sql_type, column) in shape.write_arrays.iter().zip(&self.write) {
            all.push(array(sql_type, column, count));
        }
        for (sql_type, value) in shape.key.iter().zip(&self.last) {
            all.push((Box::new(RawValue(value.clone())), sql_type.clone()));
        }
        if pass_over && !self.bad.is_empty() {
            for (sql_type, column) in shape.key_arrays.iter().zip(&self.bad_keys) {
                all.push(array(sql_type, column, self.bad.len()));
            }
            let reasons: Vec<String> = self.bad.iter().map(ToString::to_string).collect();
            all.push((Box::new(reasons), Type::TEXT_ARRAY));
        }
        all
    }

    /// The key of the row that could not be converted, as parameters.
    pub(super) fn bad_key(&self, shape: &Shape) -> Vec<(RawValue, Type)> {
        let first = |column: &BytesMut| {
            let length = column.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(-1, i32::from_be_bytes);
            let length = usize::try_from(length).ok()?;
            Some(column[4..4 + length].to_vec())
        };
        self.bad_keys
            .iter()
            .zip(&shape.key)
            .map(|(column, sql_type)| (RawValue(first(column)), sql_type.clone()))
            .collect()
    }
}

fn append(column: &mut BytesMut, value: Option<&[u8]>) {
    match value {
        None => column.put_i32(-1),
        Some(bytes) => {
            // A value is at most 1 GB (manual, appendix K).
            column.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
            column.put_slice(bytes);
        }
    }
}

/// A value as it came, whatever its type.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A value as it is to go, whatever its type.
#[derive(Debug)]
pub(super) struct RawValue(Option<Vec<u8>>);

impl ToSql for RawValue {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(bytes) = &self.0 else { return Ok(IsNull::Yes) };
        out.put_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A one-dimensional array whose elements are in their binary form already, their lengths before them (arrayfuncs.c,
/// `array_recv`).
#[derive(Debug)]
struct RawArray {
    elements: BytesMut,
    count: i32,
}

impl ToSql for RawArray {
    fn to_sql(&self, sql_type: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Kind::Array(element) = sql_type.kind() else { return Err("not an array's type".into()) };
        out.put_i32(i32::from(self.count > 0));
        // Whether there are NULLs: the server looks for itself.
        out.put_i32(1);
        out.put_u32(element.oid());
        if self.count > 0 {
            out.put_i32(self.count);
            out.put_i32(1);
            out.put_slice(&self.elements);
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}
