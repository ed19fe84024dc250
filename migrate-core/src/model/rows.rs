//! Backfills in Rust: a function from the values of some columns of a row to the values of others. The runner fetches
//! and writes back a whole batch at a time; between the two stands only what is written here.
//!
//! Values travel in the binary form of the protocol, each column of a batch as one array.

use bytes::{BufMut, BytesMut};
use postgres_types::{FromSqlOwned, IsNull, ToSql, Type};
use std::error::Error;

/// Why a row cannot be converted. It goes into errors, logs and the ledger beside the row's key: leave values of the
/// row out of it.
pub type RowError = Box<dyn Error + Send + Sync>;

/// The part of a `#[backfill(read = "…", write = "…")]` that SQL can't say well.
///
/// ```
/// use migrate_core::model::{RowBackfill, RowError};
///
/// struct SplitNames;
///
/// impl RowBackfill for SplitNames {
///     type In = (String,);
///     type Out = (String, Option<String>);
///
///     fn convert(&self, (full_name,): Self::In) -> Result<Self::Out, RowError> {
///         match full_name.trim().rsplit_once(' ') {
///             Some((first, last)) => Ok((first.to_owned(), Some(last.to_owned()))),
///             None if full_name.is_empty() => Err("the name is empty".into()),
///             None => Ok((full_name, None)),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has a backfill with `read` and `write`, and does not say how a row is converted",
    label = "this does not implement `RowBackfill`",
    note = "impl RowBackfill for {Self} {{ type In = (Option<String>,); type Out = (…,); fn convert(&self, row: Self::In) -> Result<Self::Out, RowError> {{ … }} }}"
)]
pub trait RowBackfill {
    /// The columns that `read` names, in order: a tuple of types that PostgreSQL's have a form in
    /// (`postgres_types::FromSql`), `Option` where a column may be NULL. A tuple of one is `(String,)`.
    type In: RowIn;
    /// The columns that `write` names, in order: a tuple of types that have a form in PostgreSQL (`postgres_types::ToSql`).
    type Out: RowOut;

    /// What a row's columns become. Rows come in the order of the key; one may come twice, where a batch has to be
    /// tried again.
    ///
    /// # Errors
    ///
    /// A row that cannot be converted: the runner stops there, or records it and goes on, as it was told.
    fn convert(&self, row: Self::In) -> Result<Self::Out, RowError>;
}

/// A tuple that can be made of a row's columns: one to twelve types of `postgres_types::FromSql`.
pub trait RowIn: Sized {
    /// How many columns.
    const COLUMNS: usize;

    /// Whether values of these types can be read.
    ///
    /// # Errors
    ///
    /// The first column whose cannot.
    #[doc(hidden)]
    fn accepts(types: &[Type]) -> Result<(), Mismatch>;

    #[doc(hidden)]
    fn read(types: &[Type], values: &[Option<&[u8]>]) -> Result<Self, RowError>;
}

/// A tuple that can be written into a row's columns: one to twelve types of `postgres_types::ToSql`.
pub trait RowOut {
    /// How many columns.
    const COLUMNS: usize;

    /// Whether values of these types can be written.
    ///
    /// # Errors
    ///
    /// The first column whose cannot.
    #[doc(hidden)]
    fn accepts(types: &[Type]) -> Result<(), Mismatch>;

    #[doc(hidden)]
    fn write(&self, types: &[Type], columns: &mut [BytesMut]) -> Result<(), RowError>;
}

/// A column and the Rust type that has no form for its type, or is of another count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The column's place, from 0.
    pub column: usize,
    /// The Rust type.
    pub rust: &'static str,
}

/// What the runner needs of a [`RowBackfill`], as a trait object. Implemented for each of them.
pub trait RowConverter: Send + Sync {
    /// Whether rows of these types can be read, and rows of those written.
    ///
    /// # Errors
    ///
    /// The first column of either where not; `true` for one that is written.
    fn fits(&self, read: &[Type], write: &[Type]) -> Result<(), (bool, Mismatch)>;

    /// Converts a row and appends each column of the outcome, its length before it, to that column's buffer. On an error
    /// the buffers are as they were.
    ///
    /// # Errors
    ///
    /// See [`RowBackfill::convert`]; and a value that cannot be read or written.
    fn convert(
        &self,
        read: &[Type],
        row: &[Option<&[u8]>],
        write: &[Type],
        columns: &mut [BytesMut],
    ) -> Result<(), RowError>;
}

impl<T: RowBackfill + Send + Sync> RowConverter for T {
    fn fits(&self, read: &[Type], write: &[Type]) -> Result<(), (bool, Mismatch)> {
        T::In::accepts(read).map_err(|mismatch| (false, mismatch))?;
        T::Out::accepts(write).map_err(|mismatch| (true, mismatch))
    }

    fn convert(
        &self,
        read: &[Type],
        row: &[Option<&[u8]>],
        write: &[Type],
        columns: &mut [BytesMut],
    ) -> Result<(), RowError> {
        let converted = RowBackfill::convert(self, T::In::read(read, row)?)?;
        let lengths: Vec<usize> = columns.iter().map(BytesMut::len).collect();
        converted.write(write, columns).inspect_err(|_| {
            for (column, length) in columns.iter_mut().zip(lengths) {
                column.truncate(length);
            }
        })
    }
}

/// Appends a value as an element of an array in the binary form: its length, -1 for NULL, and its bytes.
fn append(value: &impl ToSql, sql_type: &Type, column: &mut BytesMut) -> Result<(), RowError> {
    let at = column.len();
    column.put_i32(-1);
    if let IsNull::No = value.to_sql(sql_type, column)? {
        let length = i32::try_from(column.len() - at - 4)?;
        column[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

macro_rules! tuples {
    ($($count:literal: $($name:ident $place:tt),+;)+) => {$(
        impl<$($name: FromSqlOwned),+> RowIn for ($($name,)+) {
            const COLUMNS: usize = $count;

            fn accepts(types: &[Type]) -> Result<(), Mismatch> {
                $(
                    if !types.get($place).is_some_and(<$name as postgres_types::FromSql<'static>>::accepts) {
                        return Err(Mismatch { column: $place, rust: std::any::type_name::<$name>() });
                    }
                )+
                Ok(())
            }

            fn read(types: &[Type], values: &[Option<&[u8]>]) -> Result<Self, RowError> {
                Ok(($($name::from_sql_nullable(&types[$place], values[$place])?,)+))
            }
        }

        impl<$($name: ToSql),+> RowOut for ($($name,)+) {
            const COLUMNS: usize = $count;

            fn accepts(types: &[Type]) -> Result<(), Mismatch> {
                $(
                    if !types.get($place).is_some_and(<$name as ToSql>::accepts) {
                        return Err(Mismatch { column: $place, rust: std::any::type_name::<$name>() });
                    }
                )+
                Ok(())
            }

            fn write(&self, types: &[Type], columns: &mut [BytesMut]) -> Result<(), RowError> {
                $(append(&self.$place, &types[$place], &mut columns[$place])?;)+
                Ok(())
            }
        }
    )+};
}

tuples! {
    1: A 0;
    2: A 0, B 1;
    3: A 0, B 1, C 2;
    4: A 0, B 1, C 2, D 3;
    5: A 0, B 1, C 2, D 3, E 4;
    6: A 0, B 1, C 2, D 3, E 4, F 5;
    7: A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
    9: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8;
    10: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9;
    11: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10;
    12: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11;
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Halves;

    impl RowBackfill for Halves {
        type In = (Option<i32>, String);
        type Out = (i32, Option<String>);

        fn convert(&self, (number, text): Self::In) -> Result<Self::Out, RowError> {
            let number = number.ok_or("no number")?;
            if number % 2 != 0 {
                return Err("odd".into());
            }
            Ok((number / 2, (!text.is_empty()).then_some(text)))
        }
    }

    #[test]
    fn a_row_becomes_an_element_of_each_column() {
        let (read, write) = ([Type::INT4, Type::TEXT], [Type::INT4, Type::VARCHAR]);
        assert_eq!(Halves.fits(&read, &write), Ok(()));
        let mut columns = [BytesMut::new(), BytesMut::new()];
        let convert = |row: &[Option<&[u8]>], columns: &mut [BytesMut]| {
            RowConverter::convert(&Halves, &read, row, &write, columns).map_err(|error| error.to_string())
        };
        assert_eq!(convert(&[Some(&8_i32.to_be_bytes()), Some(b"ab")], &mut columns), Ok(()));
        assert_eq!(convert(&[Some(&7_i32.to_be_bytes()), Some(b"ab")], &mut columns), Err("odd".to_owned()));
        assert_eq!(convert(&[None, Some(b"ab")], &mut columns), Err("no number".to_owned()));
        assert_eq!(convert(&[Some(&6_i32.to_be_bytes()), Some(b"")], &mut columns), Ok(()));
        assert_eq!(columns[0][..], [0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 3]);
        assert_eq!(columns[1][..], [0, 0, 0, 2, b'a', b'b', 255, 255, 255, 255]);
        assert!(convert(&[Some(&6_i32.to_be_bytes()), None], &mut columns).is_err(), "NULL into a String");
        assert_eq!(columns[0].len(), 16, "a row that fails leaves nothing");
    }

    #[test]
    fn a_type_without_a_form_is_named() {
        let (is_written, mismatch) = Halves.fits(&[Type::INT4, Type::INT8], &[Type::INT4, Type::TEXT]).unwrap_err();
        assert_eq!((is_written, mismatch.column, mismatch.rust), (false, 1, "alloc::string::String"));
        let (is_written, mismatch) = Halves.fits(&[Type::INT4, Type::TEXT], &[Type::INT4]).unwrap_err();
        assert_eq!((is_written, mismatch.column), (true, 1));
    }
}
