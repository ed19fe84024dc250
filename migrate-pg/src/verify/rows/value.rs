//! Values by type: the `n`th of each, all of one column different as far as the type allows. They have what a careless
//! down would lose: fractions, microseconds, capital letters.

use super::shape::{Column, Shape, Type};
use crate::quote;
use std::collections::HashMap;

/// Values by number, for the types of one database.
pub(super) struct Values<'a> {
    pub(super) shape: &'a Shape,
    /// What the conditions of each domain let pass, as SQL.
    pub(super) domains: &'a HashMap<u32, Vec<String>>,
}

impl Values<'_> {
    /// The `n`th value of a column, as a value of what it becomes where it becomes something else.
    pub(super) fn of(&self, column: &Column, n: u64) -> Result<String, String> {
        let (oid, modifier) = column.becomes.unwrap_or((column.type_oid, column.modifier));
        let value = self.nth(oid, modifier, &column.name, n)?;
        Ok(if column.becomes.is_some() { format!("({value})::{}", column.sql_type) } else { value })
    }

    /// The `n`th value of a type as an SQL expression of that type, or what is not known of it.
    pub(super) fn nth(&self, oid: u32, modifier: i32, column: &str, n: u64) -> Result<String, String> {
        let found = self.shape.types.get(&oid).ok_or("its type was not found")?;
        let plain = match found.kind {
            'd' => {
                let list = self.domains.get(&oid).filter(|list| !list.is_empty());
                let list = list.ok_or_else(|| format!("no value was found that satisfies the domain {}", found.sql))?;
                list[usize::try_from(n).unwrap_or(0) % list.len()].clone()
            }
            'e' => {
                let count = found.labels.len() as u64;
                let at = usize::try_from(
                    n.checked_rem(count).ok_or_else(|| format!("the enum {} has no value", found.sql))?,
                );
                quote::literal(&found.labels[at.unwrap_or(0)])
            }
            'a' => {
                let element = |n| self.nth(found.inner, modifier, column, n);
                format!("ARRAY[{}, {}]", element(n)?, element(n + 1)?)
            }
            'r' => self.range(found, column, n)?,
            'm' => format!("{}({})", found.sql, self.nth(found.inner, -1, column, n)?),
            'c' => {
                let parts = found.attributes.iter().map(|&(oid, modifier)| self.nth(oid, modifier, column, n));
                format!("ROW({})", parts.collect::<Result<Vec<_>, _>>()?.join(", "))
            }
            _ => base(found, modifier, column, n)?,
        };
        Ok(format!("({plain})::{}", found.sql))
    }

    /// Of two that do not overlap, so that an exclusion constraint has nothing against them.
    fn range(&self, found: &Type, column: &str, n: u64) -> Result<String, String> {
        Ok(format!(
            "{}({}, {})",
            found.sql,
            self.nth(found.inner, -1, column, n)?,
            self.nth(found.inner, -1, column, n + 1)?
        ))
    }
}

/// A value of a base type: by its name, so that types of extensions are known as well.
fn base(found: &Type, modifier: i32, column: &str, n: u64) -> Result<String, String> {
    let day = 1 + n % 28;
    let month = 1 + n / 28 % 12;
    let year = 2020 + n / 336;
    let quoted = |text: String| quote::literal(&text);
    Ok(match found.name.as_str() {
        "bool" => (n % 2 == 1).to_string(),
        "int2" => (n % 32_000).to_string(),
        "int4" | "int8" | "oid" | "xid" | "xid8" | "cid" => n.to_string(),
        "float4" | "float8" => format!("{n}.5"),
        "numeric" => numeric(modifier, n),
        "money" => quoted(format!("{n}.25")),
        "text" | "citext" => quoted(text(column, n, None)),
        "varchar" | "bpchar" => quoted(text(column, n, usize::try_from(modifier - 4).ok())),
        "name" => quoted(text(column, n, Some(63))),
        "char" => quoted(char::from(b'a' + u8::try_from(n % 26).unwrap_or(0)).to_string()),
        "bytea" => format!("decode('{n:08x}', 'hex')"),
        "date" => quoted(format!("{year:04}-{month:02}-{day:02}")),
        "timestamp" => quoted(format!("{year:04}-{month:02}-{day:02} 10:20:30.123456")),
        "timestamptz" => quoted(format!("{year:04}-{month:02}-{day:02} 10:20:30.123456+00")),
        "time" => quoted(format!("{:02}:{:02}:30.123456", n / 60 % 24, n % 60)),
        "timetz" => quoted(format!("{:02}:{:02}:30.123456+00", n / 60 % 24, n % 60)),
        "interval" => quoted(format!("{n} days 01:02:03.5")),
        "uuid" => quoted(format!("00000000-0000-4000-8000-{n:012x}")),
        "json" | "jsonb" => quoted(format!("{{\"n\": {n}, \"name\": \"{n}\"}}")),
        "jsonpath" => quoted(format!("$[{n}]")),
        "xml" => quoted(format!("<n>{n}</n>")),
        "inet" => quoted(format!("10.{}.{}.{}", n / 65_536 % 256, n / 256 % 256, n % 256)),
        "cidr" => quoted(format!("10.{}.{}.0/24", n / 256 % 256, n % 256)),
        "macaddr" => quoted(format!("08:00:2b:{:02x}:{:02x}:{:02x}", n / 65_536 % 256, n / 256 % 256, n % 256)),
        "macaddr8" => quoted(format!("08:00:2b:00:00:{:02x}:{:02x}:{:02x}", n / 65_536 % 256, n / 256 % 256, n % 256)),
        "bit" => bits(n, usize::try_from(modifier).unwrap_or(1).max(1)),
        "varbit" => bits(n, usize::try_from(modifier).unwrap_or(16).min(16)),
        "tsvector" => quoted(format!("word{n}:1")),
        "tsquery" => quoted(format!("word{n}")),
        "point" => quoted(format!("({n},{n})")),
        "line" => quoted(format!("{{1,-1,{n}}}")),
        "lseg" | "path" => quoted(format!("[({n},0),({n},1)]")),
        "box" => quoted(format!("({n}.6,{n}.6),({n},{n})")),
        "polygon" => quoted(format!("((0,0),(0,1),({n},{n}))")),
        "circle" => quoted(format!("<({n},{n}),1>")),
        "pg_lsn" => quoted(format!("0/{n:X}")),
        "tid" => quoted(format!("(0,{n})")),
        "regclass" => quoted("pg_catalog.pg_class".to_owned()),
        "regtype" => quoted("pg_catalog.text".to_owned()),
        "hstore" => quoted(format!("n=>{n}")),
        "ltree" => quoted(format!("top.n{n}")),
        "cube" => quoted(format!("({n})")),
        "vector" => {
            let count = usize::try_from(modifier).unwrap_or(1).max(1);
            quoted(format!("[{}]", vec![format!("{n}"); count].join(",")))
        }
        "geometry" | "geography" => quoted(format!("POINT({} {})", n % 180, n % 90)),
        _ => return Err(format!("no value of the type {} is known", found.sql)),
    })
}

/// `numeric(p, s)` packs both into the modifier (`numerictypmodin`, numeric.c); a negative scale has 11 bits.
fn numeric(modifier: i32, n: u64) -> String {
    if modifier < 4 {
        return format!("{n}.25");
    }
    let (precision, scale) = ((modifier - 4) >> 16, (modifier - 4) & 0x7ff);
    if scale >= 1024 {
        return "0".to_owned();
    }
    let whole = precision - scale;
    let fraction = match scale {
        0 => "",
        1 => ".5",
        _ => ".25",
    };
    let fits = u32::try_from(whole).ok().and_then(|digits| 10_u64.checked_pow(digits)).unwrap_or(u64::MAX);
    if whole <= 0 {
        return format!("0.{:0>width$}", n % 10, width = usize::try_from(scale).unwrap_or(1).max(1));
    }
    format!("{}{fraction}", n % fits)
}

/// `Status 7`; in a few letters, the number in base 36, which is as many different texts as fit.
fn text(column: &str, n: u64, most: Option<usize>) -> String {
    let mut letters = column.chars();
    let word: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    let long = format!("{word} {n}");
    match most {
        Some(most) if long.chars().count() > most => {
            let mut short = String::new();
            let mut rest = n;
            while short.len() < most.min(13) {
                let digit = u32::try_from(rest % 36).unwrap_or(0);
                short.insert(0, char::from_digit(digit, 36).unwrap_or('0').to_ascii_uppercase());
                rest /= 36;
            }
            short
        }
        _ => long,
    }
}

fn bits(n: u64, width: usize) -> String {
    let digits = format!("{n:0>width$b}");
    format!("B'{}'", &digits[digits.len() - width..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_and_differ() {
        assert_eq!(text("status", 7, None), "Status 7");
        assert_eq!(text("status", 7, Some(3)), "007");
        assert_eq!(text("größe", 40, Some(2)), "14");
        assert_eq!(text("x", 1, Some(0)), "");
    }

    #[test]
    fn numbers_fit_their_precision() {
        let modifier = |precision: i32, scale: i32| ((precision << 16) | scale) + 4;
        assert_eq!(numeric(-1, 7), "7.25");
        assert_eq!(numeric(modifier(10, 2), 7), "7.25");
        assert_eq!(numeric(modifier(3, 1), 123), "23.5");
        assert_eq!(numeric(modifier(2, 2), 7), "0.07");
        assert_eq!(bits(5, 8), "B'00000101'");
        assert_eq!(bits(5, 2), "B'01'");
    }
}
