//! SET and its relatives: the search path changes what names mean from then on.

use super::Apply;
use super::change::object;
use crate::model::{EffectKind, Space, Verb};
use crate::sql::name::Name;

impl Apply<'_> {
    pub(super) fn setting(&mut self, kind: &'static str, name: &str, value: Option<&str>) {
        if kind == "SHOW" {
            return;
        }
        if name.eq_ignore_ascii_case("search_path") {
            let default = value.is_none_or(|value| value.eq_ignore_ascii_case("default"));
            self.schema.search_path = match value {
                Some(value) if !default => parse_path(value),
                _ => vec!["public".to_owned()],
            };
        } else if name.eq_ignore_ascii_case("check_function_bodies") {
            let off = |value: &str| matches!(value.to_ascii_lowercase().as_str(), "off" | "false" | "no" | "0");
            self.schema.checks_bodies = !value.is_some_and(off);
        } else if name.eq_ignore_ascii_case("all") && kind == "RESET" {
            self.schema.checks_bodies = true;
            self.schema.search_path = vec!["public".to_owned()];
        }
        let id = object(Space::Other, "setting", Name::bare(name));
        self.change(EffectKind::SetSetting, Verb::Alter, id, value.unwrap_or("DEFAULT"));
    }

    /// DISCARD ALL resets settings and drops what is temporary.
    pub(super) fn discard(&mut self, all: bool) {
        if all {
            self.schema.checks_bodies = true;
            self.schema.search_path = vec!["public".to_owned()];
            self.schema.relations.retain(|name, _| name.schema.as_deref() != Some(super::super::resolve::TEMP));
        }
    }
}

/// The schemas of a search path, `app, "My Schema", 'other'`; `$user` names no schema that migrations go to.
fn parse_path(value: &str) -> Vec<String> {
    value
        .split(',')
        .map(|part| {
            let part = part.trim();
            let unquoted = part
                .strip_prefix('"')
                .and_then(|part| part.strip_suffix('"'))
                .or_else(|| part.strip_prefix('\'').and_then(|part| part.strip_suffix('\'')));
            unquoted.map_or_else(|| part.to_ascii_lowercase(), str::to_owned)
        })
        .filter(|schema| !schema.is_empty() && schema != "$user" && schema != "pg_catalog")
        .collect()
}
