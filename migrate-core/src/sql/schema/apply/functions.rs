//! Functions and procedures, by name and argument types.

use super::Apply;
use super::change::routine;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{Body, CreateFunction, ObjectKind, Routine, Stmt, TypeName, Volatility};
use crate::sql::name::Name;
use crate::sql::outside::{enclosed, pieces};
use crate::sql::parse::is_default_option;
use crate::sql::schema::error::Applied;
use crate::sql::schema::{ApplyError, Fact, Function, Schema};

impl Schema {
    /// Whether two lists of argument types mean the same routine; a list left out fits any.
    pub(super) fn same_args(&self, one: Option<&[TypeName]>, other: Option<&[TypeName]>) -> bool {
        let (Some(one), Some(other)) = (one, other) else { return true };
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| self.same_type(one, other))
    }

    /// Whether two spellings mean the same type, modifiers aside.
    pub(crate) fn same_type(&self, one: &TypeName, other: &TypeName) -> bool {
        let bare = |name: &Name| match name.schema.as_deref() {
            Some("pg_catalog") => Name::bare(&name.name),
            _ => name.clone(),
        };
        let (one_name, other_name) = (bare(&self.resolve_type(one).name), bare(&self.resolve_type(other).name));
        one_name == other_name && (one.array > 0) == (other.array > 0)
    }
}

pub(super) fn noun(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Procedure => "procedure",
        ObjectKind::Aggregate => "aggregate",
        _ => "function",
    }
}

impl Apply<'_> {
    pub(super) fn create_function(&mut self, create: &CreateFunction) -> Applied {
        let name = self.schema.place(&create.routine.name);
        self.need_schema(&name)?;
        // A body in SQL is parsed against what is there (`fmgr_sql_validator`).
        if self.schema.checks_bodies && create.language.eq_ignore_ascii_case("sql") {
            for statement in &create.body.statements {
                if let Stmt::Query(query) = &statement.stmt {
                    self.check_query(query)?;
                }
            }
        }
        let args = create.routine.args.clone();
        let made = Function {
            routine: Routine { name: name.clone(), ..create.routine.clone() },
            new: true,
            volatility: Fact::Known(create.volatility),
            returns: create.returns.clone(),
            definition: Fact::Known(function_text(create)),
            depends: self.standard_body(create),
            language: Fact::Known(create.language.clone()),
            returns_set: create.returns_set,
            options: create.options.clone(),
            body: Fact::Known(create.body.clone()),
        };
        let noun = noun(create.routine.kind);
        let id = routine(noun, &name, args.as_deref());
        let overloads = self.schema.functions.get(&name);
        let listed = overloads.and_then(|overloads| {
            let same = |it: &Function| self.schema.same_args(it.routine.args.as_deref(), args.as_deref());
            overloads.iter().enumerate().find(|(_, it)| same(it))
        });
        if let Some((at, old)) = listed {
            if !create.or_replace {
                return Err(ApplyError::new(
                    "42723",
                    format!("function \"{}\" already exists with same argument types", name.name),
                ));
            }
            if old.routine.kind != create.routine.kind {
                return Err(ApplyError::new("42809", "cannot change routine kind"));
            }
            if old.definition != Fact::Unknown && old.returns != create.returns {
                return Err(ApplyError::new("42P13", "cannot change return type of existing function"));
            }
            let new = old.new;
            if let Some(overloads) = self.schema.functions.get_mut(&name) {
                overloads[at] = Function { new, ..made };
            }
            self.change(EffectKind::ReplaceFunction, Verb::Alter, id, function_text(create));
            return Ok(());
        }
        self.schema.functions.at(name, Vec::new).push(made);
        let (kind, verb) = if create.or_replace {
            (EffectKind::ReplaceFunction, Verb::Ensure)
        } else {
            (EffectKind::CreateFunction, Verb::Make)
        };
        self.change(kind, verb, id, function_text(create));
        Ok(())
    }

    /// What a SQL-standard body depends on; a body given as a string is not looked at by the server.
    fn standard_body(&self, create: &CreateFunction) -> Vec<Name> {
        let text = create.body_text.trim_start().to_ascii_lowercase();
        let standard = text.starts_with("return ") || text.starts_with("begin atomic");
        if !standard || create.language != "sql" {
            return Vec::new();
        }
        let Body { statements, .. } = &create.body;
        let mut depends = Vec::new();
        for statement in statements {
            if let Stmt::Query(query) = &statement.stmt {
                depends.extend(query.reads.iter().map(|(name, _)| self.schema.resolve(name)));
                depends.extend(query.writes.iter().map(|dml| self.schema.resolve(&dml.table)));
            }
        }
        depends
    }

    /// The listed routine: its name and where it stands among the overloads. In the open world it becomes listed.
    pub(super) fn need_routine(&mut self, given: &Routine) -> Applied<(Name, usize)> {
        let found = self.schema.find_functions(&given.name);
        let name = found.unwrap_or_else(|| self.schema.place(&given.name));
        let overloads = self.schema.functions.get(&name);
        let fits = |it: &Function| self.schema.same_args(it.routine.args.as_deref(), given.args.as_deref());
        let matching: Vec<usize> =
            overloads.into_iter().flatten().enumerate().filter(|(_, it)| fits(it)).map(|(at, _)| at).collect();
        match matching.as_slice() {
            [at] => {
                let listed = overloads.and_then(|overloads| overloads.get(*at));
                let kinds = (listed.map(|listed| listed.routine.kind), given.kind);
                if let (Some(ObjectKind::Function), ObjectKind::Procedure)
                | (Some(ObjectKind::Procedure), ObjectKind::Function) = kinds
                {
                    let what = noun(given.kind);
                    return Err(ApplyError::new("42809", format!("{} is not a {what}", name.name)));
                }
                Ok((name, *at))
            }
            [] if self.closed() => {
                let id = routine(noun(given.kind), &name, given.args.as_deref());
                Err(ApplyError::new("42883", format!("{} {} does not exist", id.noun, id.name.name)))
            }
            [] => {
                let overloads = self.schema.functions.at(name.clone(), Vec::new);
                overloads.push(Function {
                    routine: Routine { name: name.clone(), ..given.clone() },
                    new: false,
                    volatility: Fact::Unknown,
                    returns: None,
                    definition: Fact::Unknown,
                    depends: Vec::new(),
                    language: Fact::Unknown,
                    returns_set: false,
                    options: Vec::new(),
                    body: Fact::Unknown,
                });
                Ok((name, overloads.len() - 1))
            }
            _ => Err(ApplyError::new("42725", format!("function name \"{}\" is not unique", name.name))),
        }
    }

    pub(super) fn alter_function(&mut self, given: &Routine, text: &str, options: &[String]) -> Applied {
        let (name, at) = self.need_routine(given)?;
        let mut id = routine(noun(given.kind), &name, given.args.as_deref());
        if let Some(function) = self.schema.functions.get_mut(&name).and_then(|overloads| overloads.get_mut(at)) {
            id = routine(noun(given.kind), &name, function.routine.args.as_deref());
            function.alter(options);
        }
        self.change(EffectKind::ChangeFunction, Verb::Alter, id, text);
        Ok(())
    }
}

impl Function {
    /// Each option takes the place of the one that says otherwise (`AlterFunction` in `functioncmds.c`).
    fn alter(&mut self, options: &[String]) {
        let known = self.language.known().zip(self.volatility.known());
        let before =
            known.map(|(language, volatility)| head_options(&self.routine, language, *volatility, &self.options));
        for option in options {
            match option.as_str() {
                "immutable" => self.volatility = Fact::Known(Volatility::Immutable),
                "stable" => self.volatility = Fact::Known(Volatility::Stable),
                "volatile" => self.volatility = Fact::Known(Volatility::Volatile),
                "reset all" => self.options.retain(|held| !held.starts_with("set ")),
                _ => {
                    let subject = subject(option);
                    self.options.retain(|held| self::subject(held) != subject);
                    if !option.starts_with("reset ") {
                        self.options.push(option.clone());
                    }
                }
            }
        }
        let Some((language, volatility)) = self.language.known().zip(self.volatility.known()) else { return };
        self.options.retain(|option| !is_default_option(option, language));
        self.options.sort();
        if let (Fact::Known(text), Some(before)) = (&mut self.definition, before) {
            *text = text.replacen(&before, &head_options(&self.routine, language, *volatility, &self.options), 1);
        }
    }
}

/// What the option is about: two options of one subject do not stand together.
fn subject(option: &str) -> &str {
    match option {
        "strict" | "called on null input" => "strict",
        "leakproof" | "not leakproof" => "leakproof",
        _ => match option.strip_prefix("set ").or(option.strip_prefix("reset ")) {
            Some(setting) => setting.split(' ').next().unwrap_or(setting),
            None => option.split(' ').next().unwrap_or(option),
        },
    }
}

/// ` LANGUAGE sql STABLE strict AS `: what stands before the body.
fn head_options(routine: &Routine, language: &str, volatility: Volatility, options: &[String]) -> String {
    let mut text = format!(" LANGUAGE {language}");
    if routine.kind != ObjectKind::Procedure {
        text.push_str(match volatility {
            Volatility::Immutable => " IMMUTABLE",
            Volatility::Stable => " STABLE",
            Volatility::Volatile => " VOLATILE",
        });
    }
    for option in options {
        text.push(' ');
        text.push_str(option);
    }
    text.push_str(" AS ");
    text
}

/// Canonical text of the function after its name.
fn function_text(create: &CreateFunction) -> String {
    let mut text = format!("({})", create.parameters);
    // With OUT parameters the type of the result is theirs, and RETURNS may only say it again.
    let said_again = |returns: &str| {
        !returns.starts_with("setof ")
            && pieces(enclosed(&create.parameters).unwrap_or(&create.parameters))
                .iter()
                .any(|it| it.starts_with("out ") || it.starts_with("inout "))
    };
    if let Some(returns) = create.returns.as_ref().filter(|returns| !said_again(returns)) {
        text.push_str(&format!(" RETURNS {returns}"));
    }
    text.push_str(&head_options(&create.routine, &create.language, create.volatility, &create.options));
    text.push_str(&create.body_text);
    text
}
