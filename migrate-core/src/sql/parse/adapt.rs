//! What PostgreSQL accepts and the parser does not: STORAGE and COMPRESSION in ADD COLUMN, operator classes in EXCLUDE. They
//! are blanked out before parsing, which keeps all offsets, and put back into columns and constraints afterwards. And ALTER
//! INDEX … OWNER TO, which servers take as that of a table, and do nothing of but warn (`ATExecChangeOwner`).

use super::super::ast::{ConstraintDef, ConstraintKind, ObjectKind, Statement, Stmt, TableAction};
use super::tree::{K, Node};
use std::ops::Range;

/// A clause taken out of the source.
#[derive(Debug)]
pub(super) struct Clause {
    range: Range<usize>,
    /// Which action of its ALTER TABLE it stands in.
    action: usize,
    what: What,
    value: String,
}

#[derive(Debug)]
enum What {
    Storage,
    Compression,
    /// The word INDEX, in the place of TABLE.
    Index,
    /// Of the exclusion's element that ends in this text.
    Class(String),
}

struct Word {
    kind: K,
    text: String,
    range: Range<usize>,
}

/// The source without the clauses, and what they were; `None` if there are none. `root` is the tree of a parse that failed,
/// which still holds every token.
pub(super) fn taken_out(sql: &str, root: &Node) -> Option<(String, Vec<Clause>)> {
    let lower = sql.to_ascii_lowercase();
    if !["storage", "compression", "exclude", "owner"].iter().any(|word| lower.contains(word)) {
        return None;
    }
    let tokens = root
        .descendants_with_tokens()
        .filter_map(rowan::NodeOrToken::into_token)
        .filter(|token| !token.kind().is_trivia());
    let words: Vec<_> = tokens
        .map(|token| Word { kind: token.kind(), text: token.text().to_owned(), range: token.text_range().into() })
        .collect();
    let mut clauses = Vec::new();
    for statement in words.split(|word| word.kind == K::SEMICOLON) {
        statement_clauses(statement, &mut clauses);
        owner_of_index(statement, &mut clauses);
        classes(statement, &mut clauses);
    }
    if clauses.is_empty() {
        return None;
    }
    let mut blanked = sql.to_owned();
    for clause in &clauses {
        let instead = match clause.what {
            What::Index => "TABLE".to_owned(),
            _ => " ".repeat(clause.range.len()),
        };
        blanked.replace_range(clause.range.clone(), &instead);
    }
    Some((blanked, clauses))
}

fn is(word: Option<&Word>, keyword: &str) -> bool {
    word.is_some_and(|word| word.text.eq_ignore_ascii_case(keyword))
}

fn owner_of_index(words: &[Word], into: &mut Vec<Clause>) {
    let owner = words.iter().position(|word| word.text.eq_ignore_ascii_case("owner"));
    if is(words.first(), "alter") && is(words.get(1), "index") && owner.is_some_and(|at| is(words.get(at + 1), "to")) {
        into.push(Clause { range: words[1].range.clone(), action: 0, what: What::Index, value: String::new() });
    }
}

/// `EXCLUDE USING gist (room gist_int4_ops WITH =)`: what stands between an element and WITH.
fn classes(words: &[Word], into: &mut Vec<Clause>) {
    let (mut depth, mut inside) = (0_usize, None);
    for (at, word) in words.iter().enumerate() {
        match word.kind {
            K::L_PAREN => depth += 1,
            K::R_PAREN => {
                depth = depth.saturating_sub(1);
                if inside.is_some_and(|from| depth < from) {
                    inside = None;
                }
            }
            _ if word.text.eq_ignore_ascii_case("exclude") => inside = Some(depth + 1),
            _ if inside == Some(depth) && word.text.eq_ignore_ascii_case("with") && at >= 2 => {
                let name =
                    |at: usize| words.get(at).is_some_and(|word| word.kind == K::IDENT || word.kind.is_keyword());
                let mut from = at - 1;
                if at >= 4 && words[at - 2].kind == K::DOT {
                    from = at - 3;
                }
                let before = &words[from - 1];
                let ends_element = before.kind == K::R_PAREN || name(from - 1);
                if name(from) && ends_element && !is(Some(before), "collate") && before.kind != K::COMMA {
                    let value = words[from..at].iter().map(|word| word.text.as_str()).collect::<String>();
                    let range = words[from].range.start..words[at - 1].range.end;
                    let what = What::Class(before.text.to_ascii_lowercase());
                    into.push(Clause { range, action: 0, what, value: value.to_ascii_lowercase() });
                }
            }
            _ => {}
        }
    }
}

fn statement_clauses(words: &[Word], into: &mut Vec<Clause>) {
    let foreign = usize::from(is(words.get(1), "foreign"));
    if !is(words.first(), "alter") || !is(words.get(1 + foreign), "table") {
        return;
    }
    let (mut depth, mut action) = (0_usize, 0);
    // Where a type may have ended: the place of the first word after ADD [COLUMN] [IF NOT EXISTS] name.
    let mut type_from = None;
    for (at, word) in words.iter().enumerate() {
        match word.kind {
            K::L_PAREN => depth += 1,
            K::R_PAREN => depth = depth.saturating_sub(1),
            K::COMMA if depth == 0 => {
                action += 1;
                type_from = None;
            }
            _ if depth > 0 => {}
            _ if type_from.is_none() && word.text.eq_ignore_ascii_case("add") => {
                type_from = Some(name_end(words, at + 1));
            }
            _ if type_from.is_some_and(|from| at > from) => {
                let storage = word.text.eq_ignore_ascii_case("storage");
                let named = words.get(at + 1).filter(|next| next.kind == K::IDENT || next.kind.is_keyword());
                if let Some(next) = named.filter(|_| storage || word.text.eq_ignore_ascii_case("compression")) {
                    let value = next.text.to_ascii_lowercase();
                    let what = if storage { What::Storage } else { What::Compression };
                    into.push(Clause { range: word.range.start..next.range.end, action, what, value });
                }
            }
            _ => {}
        }
    }
}

fn name_end(words: &[Word], mut at: usize) -> usize {
    if is(words.get(at), "column") {
        at += 1;
    }
    if is(words.get(at), "if") && is(words.get(at + 1), "not") {
        at += 3;
    }
    at + 1
}

/// Puts the clauses back into the columns, and the source's own text into the statements.
pub(super) fn put_back(sql: &str, statements: &mut [Statement], clauses: Vec<Clause>) {
    for clause in clauses {
        let Some(statement) = statements.iter_mut().find(|statement| {
            // A clause at the end was blanked, so the statement may end before it.
            statement.span.start <= clause.range.start
                && sql.get(statement.span.end..clause.range.start).is_none_or(|gap| !gap.contains(';'))
        }) else {
            continue;
        };
        statement.span.end = statement.span.end.max(clause.range.end);
        sql[statement.span.clone()].clone_into(&mut statement.text);
        match (&mut statement.stmt, clause.what) {
            (Stmt::AlterTable(alter), What::Storage | What::Compression)
                if !matches!(alter.actions.get(clause.action), Some(TableAction::AddColumn { .. })) => {}
            (Stmt::AlterTable(alter), What::Storage) => {
                if let Some(TableAction::AddColumn { column, .. }) = alter.actions.get_mut(clause.action) {
                    column.storage = Some(clause.value);
                }
            }
            (Stmt::AlterTable(alter), What::Compression) => {
                if let Some(TableAction::AddColumn { column, .. }) = alter.actions.get_mut(clause.action) {
                    column.compression = Some(clause.value);
                }
            }
            (Stmt::AlterTable(alter), What::Index) => alter.kind = ObjectKind::Index,
            (Stmt::AlterTable(alter), What::Class(element)) => {
                let constraints = alter.actions.iter_mut().flat_map(|action| match action {
                    TableAction::AddConstraint(constraint) => std::slice::from_mut(constraint),
                    TableAction::AddColumn { column, .. } => column.constraints.as_mut_slice(),
                    _ => &mut [],
                });
                put_class(constraints, &element, &clause.value);
            }
            (Stmt::CreateTable(create), What::Class(element)) => {
                let of_columns = create.columns.iter_mut().flat_map(|column| &mut column.constraints);
                put_class(of_columns.chain(&mut create.constraints), &element, &clause.value);
            }
            _ => {}
        }
    }
}

fn put_class<'c>(constraints: impl Iterator<Item = &'c mut ConstraintDef>, element: &str, class: &str) {
    for constraint in constraints {
        if let ConstraintKind::Exclude { elements, .. } = &mut constraint.kind {
            let bare = format!("{element} with ");
            if elements.contains(&bare) {
                *elements = elements.replacen(&bare, &format!("{element} {class} with "), 1);
                return;
            }
        }
    }
}
