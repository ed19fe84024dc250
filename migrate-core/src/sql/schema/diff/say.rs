//! How things and their properties are spoken of.

use crate::model::Space;
use crate::sql::ObjectId;
use crate::sql::name::{Name, quoted};

/// The name as people say it: without `public`.
pub(crate) fn shown(name: &Name) -> String {
    match name.schema.as_deref() {
        Some("public") => quoted(&name.name),
        _ => name.to_string(),
    }
}

/// The object as people say it: `column orders.status`, `index idx_a`, `trigger t of orders`.
pub(crate) fn described(object: &ObjectId) -> String {
    let name = match object.space {
        // The arguments are part of the name, and not to be quoted.
        Space::Routine => match object.name.schema.as_deref() {
            None | Some("public") => object.name.name.clone(),
            Some(schema) => format!("{}.{}", quoted(schema), object.name.name),
        },
        _ => shown(&object.name),
    };
    match (&object.owner, object.space) {
        (Some(owner), Space::Column) => format!("column {}.{name}", shown(owner)),
        (Some(owner), Space::Constraint | Space::Trigger | Space::Policy | Space::Rule) => {
            format!("{} {name} of {}", object.noun, shown(owner))
        }
        _ => format!("{} {name}", object.noun),
    }
}

/// How a property is spoken of.
#[derive(Clone, Copy)]
pub(super) enum Say {
    /// `orders is logged where it was unlogged`.
    Is,
    /// `orders.status is text where it was varchar(40)`: the catalog's names, spelled as people do.
    Type,
    /// `orders.status keeps DEFAULT 'x'`; the empty text is none.
    Word(&'static str),
    /// `orders.status stays NOT NULL`.
    NotNull,
    /// `the owner of orders is a where it was b`.
    Of,
}

impl Say {
    pub(super) fn differs(self, thing: &str, property: &str, was: &str, is: &str) -> String {
        match self {
            Self::Is => format!("{thing} is {is} where it was {was}"),
            Self::Type => format!("{thing} is {} where it was {}", spelled_type(is), spelled_type(was)),
            Self::Word(word) => match (was, is) {
                ("", is) => format!("{thing} keeps {word}{is}"),
                (was, "") => format!("{thing} loses {word}{was}"),
                (was, is) => format!("{thing} has {word}{is} where it had {word}{was}"),
            },
            Self::NotNull if is == "NOT NULL" => format!("{thing} stays NOT NULL"),
            Self::NotNull => format!("{thing} loses NOT NULL"),
            Self::Of => format!("the {property} of {thing} is {is} where it was {was}"),
        }
    }

    pub(super) fn keeps(self, thing: &str, property: &str, is: &str) -> String {
        match self {
            Self::Is => format!("{thing} stays {is}"),
            Self::Type => format!("{thing} stays {}", spelled_type(is)),
            Self::Word(_) if is.is_empty() => format!("{thing} stays without {property}"),
            Self::Word(word) => format!("{thing} keeps {word}{is}"),
            Self::NotNull if is == "NOT NULL" => format!("{thing} stays NOT NULL"),
            Self::NotNull => format!("{thing} stays nullable"),
            Self::Of => format!("the {property} of {thing} stays {is}"),
        }
    }

    pub(super) fn was(self, thing: &str, property: &str, is: &str) -> String {
        match self {
            Self::Is => format!("{thing} was {is}"),
            Self::Type => format!("{thing} was {}", spelled_type(is)),
            Self::Word(_) if is.is_empty() => format!("{thing} had no {property}"),
            Self::Word(word) => format!("{thing} had {word}{is}"),
            Self::NotNull if is == "NOT NULL" => format!("{thing} was NOT NULL"),
            Self::NotNull => format!("{thing} was nullable"),
            Self::Of => format!("the {property} of {thing} was {is}"),
        }
    }
}

/// `int8[]` as `bigint[]`.
pub(super) fn spelled_type(text: &str) -> String {
    let end = text.find(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    format!("{}{rest}", crate::sql::print::spelling(name).unwrap_or(name))
}
