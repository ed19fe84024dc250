//! Reserved words as names: the parser takes some of them, and the server none (`ColId` in `gram.y`).

use super::super::keywords;
use super::tree::{K, Node, Result, Tree};

/// Refuses a reserved word where a name has to stand.
pub(super) fn refuse(root: &Node) -> Result<()> {
    for token in root.descendants_with_tokens().filter_map(rowan::NodeOrToken::into_token) {
        if token.kind() == K::IDENT || !is_name(&token) {
            continue;
        }
        let word = token.text().to_ascii_lowercase();
        if keywords::is_reserved(&word)
            && let Some(node) = token.parent()
        {
            return Err(super::SyntaxError {
                offset: token.text_range().start().into(),
                len: word.len(),
                ..node.fail(said(&word))
            });
        }
    }
    Ok(())
}

/// What is wrong with it, and what to write.
pub(super) fn said(word: &str) -> String {
    format!(
        "`{word}` is a reserved word and no name as it stands; take another name, or write `\"{word}\"` wherever it is used"
    )
}

fn is_name(token: &super::tree::Token) -> bool {
    let Some(node) = token.parent() else { return false };
    match node.kind() {
        // After AS every word will do.
        K::COLUMN_NAME => node.parent().is_none_or(|parent| parent.kind() != K::AS_NAME),
        K::COLUMN_NAME_REF | K::CONSTRAINT_NAME => true,
        // The word that names the kind of statement stands beside them.
        K::TRIGGER | K::POLICY | K::SCHEMA => node.tokens().count() == 1,
        // Behind a dot every word will do, too.
        K::PATH_SEGMENT | K::PATH_SEGMENT_REF => node.parent().is_some_and(|path| {
            path.children().next().as_ref() == Some(&node)
                && path.parent().is_some_and(|named| {
                    matches!(
                        named.kind(),
                        K::TABLE_NAME | K::TABLE_NAME_REF | K::RELATION_NAME_REF | K::VIEW | K::SEQUENCE | K::INDEX_REF
                    )
                })
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn where_a_name_stands() {
        for sql in [
            "ALTER TABLE t ADD COLUMN order int",
            "ALTER TABLE t DROP COLUMN order",
            "ALTER TABLE t RENAME COLUMN a TO order",
            "ALTER TABLE t ADD CONSTRAINT order CHECK (a > 0)",
            "CREATE POLICY order ON t",
            "CREATE TRIGGER order BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "CREATE SCHEMA order",
        ] {
            let error = parse(sql).expect_err(sql);
            assert!(error.message.contains("`order` is a reserved word"), "{sql}: {}", error.message);
            assert_eq!(&sql[error.offset..error.offset + error.len], "order", "{sql}");
        }
        for sql in ["DROP TABLE left", "UPDATE full SET a = 1", "CREATE INDEX i ON verbose (a)"] {
            assert!(parse(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn where_every_word_will_do() {
        for sql in [
            "SELECT 1 AS order, t.user, left('a', 1), current_date FROM t",
            "CREATE TABLE s.user (value int, position int, \"order\" int, LIKE u)",
            "DROP TABLE public.order",
            "CREATE SCHEMA AUTHORIZATION joe",
            "GRANT SELECT ON t TO CURRENT_USER",
            "CREATE TABLE t (a int, CHECK (a > 0), PRIMARY KEY (a), FOREIGN KEY (a) REFERENCES u)",
            "INSERT INTO t (a) VALUES (DEFAULT) ON CONFLICT ON CONSTRAINT c DO NOTHING",
            "ALTER TABLE t ALTER COLUMN a SET DEFAULT NULL",
        ] {
            parse(sql).expect(sql);
        }
    }
}
