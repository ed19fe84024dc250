//! The actions of ALTER TABLE on one column.

use super::Need;
use super::alter::{Act, Undo};
use crate::sql::ast::{Expr, SequenceOptions, TableAction, TypeName};
use crate::sql::name::quoted;
use crate::sql::print;
use crate::sql::reverse::restore;
use crate::sql::schema::{Column, Fact, default_storage};

impl Act<'_> {
    fn column(&self, name: &str) -> Option<&Column> {
        self.table().and_then(|table| table.column(name))
    }

    fn column_fact<T: Clone>(&self, name: &str, read: impl Fn(&Column) -> &Fact<T>) -> Fact<T> {
        self.column(name).map_or(Fact::Unknown, |column| read(column).clone())
    }

    /// The column, where a statement that is known made it: its settings are what is listed.
    fn defined(&self, name: &str) -> Option<&Column> {
        self.column(name).filter(|column| self.complete() || column.generated.known().is_some())
    }
}

#[allow(clippy::too_many_lines, reason = "one arm an action: a table")]
pub(super) fn undo(action: &TableAction, act: &Act<'_>) -> Result<Undo, Need> {
    use TableAction as A;
    let unknown = |what: &str, column: &str, template: String| {
        Need::new(format!("{what} of column {} before is not in this migration", act.of_table(column)), template)
    };
    let alter = |column: &str, what: String| Undo::action(format!("ALTER COLUMN {} {what}", quoted(column)));
    Ok(match action {
        A::AddColumn { if_not_exists, column } => {
            if *if_not_exists && act.column(&column.name).is_some() {
                Undo::nothing()
            } else {
                Undo::action(format!("DROP COLUMN {}", quoted(&column.name)))
            }
        }
        A::DropColumn { name, if_exists, .. } => {
            if *if_exists && act.complete() && act.column(name).is_none() {
                return Ok(Undo::nothing());
            }
            let Some(definition) = act.column(name).and_then(restore::column) else {
                return Err(Need::new(
                    format!("the definition of column {} is not in this migration", act.of_table(name)),
                    format!("ADD COLUMN {} <type>", quoted(name)),
                ));
            };
            let mut undo = Undo::action(format!("ADD COLUMN {}", print::column(&definition)));
            undo.statements = restore::lost(
                act.context.before,
                act.context.after,
                &restore::Except { column: Some((&act.resolved, name)), ..restore::Except::default() },
            )
            .map_err(Need::bare)?;
            undo
        }
        A::SetType { column, data_type, using, .. } => {
            let Fact::Known(old) = act.column_fact(column, |column| &column.data_type) else {
                return Err(unknown("the type", column, format!("ALTER COLUMN {} TYPE <type>", quoted(column))));
            };
            let collation = match act.column_fact(column, |column| &column.collation) {
                Fact::Known(Some(collation)) => format!(" COLLATE {collation}"),
                _ => String::new(),
            };
            let text = print::type_name(&old);
            if using.as_ref().is_some_and(|using| !only_casts(using, column)) {
                return Err(Need::new(
                    format!(
                        "USING computes other values for column {}: what brings the old ones back does not follow from it",
                        act.of_table(column),
                    ),
                    format!("ALTER COLUMN {} TYPE {text}{collation} USING <expression>", quoted(column)),
                ));
            }
            // What went by way of text comes back by way of text: an enum has no cast to another.
            let by_text = using
                .as_ref()
                .is_some_and(|using| using.casts.len() == 2 && using.casts.iter().any(|cast| cast.name.name == "text"));
            let way = if by_text { "::text" } else { "" };
            let cast = if using.is_some() || !assigns(data_type, &old) {
                format!(" USING {}{way}::{text}", quoted(column))
            } else {
                String::new()
            };
            alter(column, format!("TYPE {text}{collation}{cast}"))
        }
        A::SetDefault { column, .. } | A::DropDefault { column } => {
            match act.column_fact(column, |column| &column.default) {
                Fact::Known(Some(default)) => alter(column, format!("SET DEFAULT {}", default.text)),
                Fact::Known(None) if matches!(action, A::DropDefault { .. }) => Undo::nothing(),
                Fact::Known(None) => alter(column, "DROP DEFAULT".to_owned()),
                Fact::Unknown => {
                    let template = match action {
                        A::DropDefault { .. } => "SET DEFAULT <expression>",
                        _ => "DROP DEFAULT",
                    };
                    return Err(unknown("the default", column, format!("ALTER COLUMN {} {template}", quoted(column))));
                }
            }
        }
        A::SetNotNull { column } => match act.column_fact(column, |column| &column.not_null) {
            Fact::Known(true) => Undo::nothing(),
            _ => alter(column, "DROP NOT NULL".to_owned()),
        },
        A::DropNotNull { column } => match act.column_fact(column, |column| &column.not_null) {
            Fact::Known(false) => Undo::nothing(),
            _ => alter(column, "SET NOT NULL".to_owned()),
        },
        A::SetExpression { column, .. } => match act.column_fact(column, |column| &column.generated) {
            Fact::Known(Some(generated)) => {
                alter(column, format!("SET EXPRESSION AS {}", print::parenthesised(&generated.expression)))
            }
            _ => {
                let template = format!("ALTER COLUMN {} SET EXPRESSION AS (<expression>)", quoted(column));
                return Err(unknown("the expression", column, template));
            }
        },
        A::DropExpression { column, .. } => {
            let definition = act.column(column).and_then(restore::column).map(|definition| print::column(&definition));
            let definition = definition
                .unwrap_or_else(|| format!("{} <type> GENERATED ALWAYS AS (<expression>) STORED", quoted(column)));
            return Err(Need::new(
                format!(
                    "PostgreSQL cannot make {} generated again in place: the down must drop it and add it, and it then stands last",
                    act.of_table(column)
                ),
                format!("DROP COLUMN {}, ADD COLUMN {definition}", quoted(column)),
            ));
        }
        A::AddIdentity { column, .. } => {
            let mut undo = alter(column, "DROP IDENTITY".to_owned());
            // ADD IDENTITY needs NOT NULL and does not set it, so there is nothing else to take back.
            undo.statements.clear();
            undo
        }
        A::DropIdentity { column, if_exists } => match act.column_fact(column, |column| &column.identity) {
            Fact::Known(Some(identity)) => alter(column, format!("ADD {}", print::identity(&identity))),
            Fact::Known(None) if *if_exists => Undo::nothing(),
            _ => {
                let template =
                    format!("ALTER COLUMN {} ADD GENERATED <ALWAYS or BY DEFAULT> AS IDENTITY", quoted(column));
                return Err(unknown("the identity", column, template));
            }
        },
        A::SetIdentity { column, always, options } => return set_identity(column, *always, options, act),
        A::SetStatistics { column, .. } => {
            let spelled = |target: &str| {
                let column =
                    if column.bytes().all(|byte| byte.is_ascii_digit()) { column.clone() } else { quoted(column) };
                format!("ALTER COLUMN {column} SET STATISTICS {target}")
            };
            match (act.column(column).and_then(|column| column.statistics.clone()), act.defined(column)) {
                (Some(target), _) => Undo::action(spelled(&target)),
                (None, Some(_)) => Undo::action(spelled("-1")),
                (None, None) => return Err(unknown("the statistics target", column, spelled("-1"))),
            }
        }
        A::SetStorage { column, .. } => {
            let known = act.column(column).and_then(|column| column.storage.clone());
            let derived = known.or_else(|| {
                let data_type = act.defined(column)?.data_type.known()?;
                default_storage(data_type)
                    .map(str::to_owned)
                    .or_else(|| (act.context.pg.min() >= 16).then(|| "DEFAULT".to_owned()))
            });
            match derived {
                Some(storage) => alter(column, format!("SET STORAGE {storage}")),
                None => {
                    let template = format!("ALTER COLUMN {} SET STORAGE <storage>", quoted(column));
                    return Err(unknown("the storage", column, template));
                }
            }
        }
        A::SetCompression { column, .. } => {
            match (act.column(column).and_then(|column| column.compression.clone()), act.defined(column)) {
                (Some(method), _) => alter(column, format!("SET COMPRESSION {method}")),
                (None, Some(_)) => alter(column, "SET COMPRESSION DEFAULT".to_owned()),
                (None, None) => {
                    let template = format!("ALTER COLUMN {} SET COMPRESSION DEFAULT", quoted(column));
                    return Err(unknown("the compression", column, template));
                }
            }
        }
        A::SetColumnOptions { column, options } => {
            let names: Vec<_> = options.iter().map(|(name, _)| name.as_str()).collect();
            return column_options(column, &names, act);
        }
        A::ResetColumnOptions { column, options } => {
            let names: Vec<_> = options.iter().map(String::as_str).collect();
            return column_options(column, &names, act);
        }
        _ => Undo::nothing(),
    })
}

fn column_options(column: &str, names: &[&str], act: &Act<'_>) -> Result<Undo, Need> {
    let listed = act.column(column).map(|column| &column.options);
    let (mut set, mut reset) = (Vec::new(), Vec::new());
    for &name in names {
        match listed.and_then(|options| options.get(name)) {
            Some(value) => set.push((name.to_owned(), value.clone())),
            None => reset.push(print::option_name(name)),
        }
    }
    let mut undo = Undo::nothing();
    if !set.is_empty() {
        undo.actions.push(format!("ALTER COLUMN {} SET {}", quoted(column), print::options(&set)));
    }
    if !reset.is_empty() {
        let action = format!("ALTER COLUMN {} RESET ({})", quoted(column), reset.join(", "));
        if act.defined(column).is_none() {
            return Err(Need::new(
                format!("the options of column {} before are not in this migration", act.of_table(column)),
                action,
            ));
        }
        undo.actions.push(action);
    }
    Ok(undo)
}

/// ALTER COLUMN … SET GENERATED, SET INCREMENT …: each back to what it was.
fn set_identity(column: &str, always: Option<bool>, options: &SequenceOptions, act: &Act<'_>) -> Result<Undo, Need> {
    let need =
        |why: String| Need::new(why, format!("ALTER COLUMN {} SET GENERATED <ALWAYS or BY DEFAULT>", quoted(column)));
    let Fact::Known(Some(identity)) = act.column_fact(column, |column| &column.identity) else {
        return Err(need(format!("the identity of column {} before is not in this migration", act.of_table(column))));
    };
    if options.restart.is_some() {
        return Err(need(format!(
            "RESTART loses the position of the sequence of {}, and nothing in the schema says what it was",
            act.of_table(column)
        )));
    }
    let mut parts = Vec::new();
    if always.is_some_and(|always| always != identity.always) {
        parts.push(format!("SET GENERATED {}", if identity.always { "ALWAYS" } else { "BY DEFAULT" }));
    }
    for (name, value) in restore::sequence_settings(options, &identity.options).map_err(need)? {
        parts.push(format!("SET {}", print::sequence_setting(&name, &value)));
    }
    Ok(if parts.is_empty() {
        Undo::nothing()
    } else {
        Undo::action(format!("ALTER COLUMN {} {}", quoted(column), parts.join(" ")))
    })
}

/// Whether the expression is the column, perhaps cast: its values are the same ones, as those of another type.
fn only_casts(using: &Expr, column: &str) -> bool {
    using.columns == [column] && using.functions.is_empty() && using.operators.is_empty() && {
        let words = using.text.replace(['(', ')'], " ");
        let mut words = words.split([' ', ':']).filter(|word| !word.is_empty());
        let first = words.next();
        // `cast(c AS t)`, or `c::t`.
        (if first.is_some_and(|word| word.eq_ignore_ascii_case("cast")) { words.next() } else { first })
            == Some(quoted(column).as_str())
            && !using.text.contains(['[', '\''])
    }
}

/// Whether values of `from` go into a column of `to` without USING: the assignment casts of `pg_cast`, by family.
pub(super) fn assigns(from: &TypeName, to: &TypeName) -> bool {
    let family = |of: &TypeName| match of.name.name.as_str() {
        "int2" | "int4" | "int8" | "float4" | "float8" | "numeric" => 1,
        "text" | "varchar" | "bpchar" | "name" => 2,
        "timestamp" | "timestamptz" | "date" => 3,
        "bit" | "varbit" => 4,
        "json" | "jsonb" => 5,
        "time" | "timetz" => 6,
        _ => 0,
    };
    if from.name == to.name && (from.array > 0) == (to.array > 0) {
        return true;
    }
    // Every type casts to text in an assignment, `char(n)` and `varchar(n)` by way of it.
    (family(to) == 2 && to.array == 0)
        || (family(from) != 0 && family(from) == family(to) && (from.array > 0) == (to.array > 0))
}
