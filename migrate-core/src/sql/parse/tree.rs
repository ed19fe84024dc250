//! Walking the parser's tree by the kinds of its nodes. Every grammar rule is a node, so a child is found by its kind.

use super::super::source::SyntaxError;
use squawk_syntax::ast::{self, AstNode};

pub(super) use squawk_syntax::{SyntaxKind as K, SyntaxNode as Node, SyntaxToken as Token};

pub(super) type Result<T, E = SyntaxError> = std::result::Result<T, E>;

/// Children of a node by kind.
pub(super) trait Tree {
    /// The first child of the kind.
    fn child(&self, kind: K) -> Option<Node>;
    /// The first child of any of the kinds.
    fn any(&self, kinds: &[K]) -> Option<Node>;
    /// All children of the kind.
    fn all(&self, kind: K) -> impl Iterator<Item = Node>;
    /// Whether a child or a token of the kind stands directly in it.
    fn has(&self, kind: K) -> bool;
    /// The first child of the kind, which the grammar promises.
    fn need(&self, kind: K) -> Result<Node>;
    /// The first child that is an expression.
    fn expr(&self) -> Option<Node>;
    /// All children that are expressions.
    fn exprs(&self) -> impl Iterator<Item = Node>;
    /// The first child that is a type.
    fn ty(&self) -> Option<Node>;
    /// The first child that is a type, which the grammar promises.
    fn need_ty(&self) -> Result<Node>;
    /// The first child that is an expression, which the grammar promises.
    fn need_expr(&self) -> Result<Node>;
    /// Tokens directly in it that are neither whitespace nor comments.
    fn tokens(&self) -> impl Iterator<Item = Token>;
    /// Byte range without the whitespace and comments at its ends.
    fn range(&self) -> std::ops::Range<usize>;
    /// An error at this node.
    fn fail(&self, message: impl Into<String>) -> SyntaxError;
}

impl Tree for Node {
    fn child(&self, kind: K) -> Option<Node> {
        self.children().find(|child| child.kind() == kind)
    }

    fn any(&self, kinds: &[K]) -> Option<Node> {
        self.children().find(|child| kinds.contains(&child.kind()))
    }

    fn all(&self, kind: K) -> impl Iterator<Item = Node> {
        self.children().filter(move |child| child.kind() == kind)
    }

    fn has(&self, kind: K) -> bool {
        self.children_with_tokens().any(|child| child.kind() == kind)
    }

    fn need(&self, kind: K) -> Result<Node> {
        self.child(kind).ok_or_else(|| self.fail(format!("expected {} here", spoken(kind))))
    }

    fn expr(&self) -> Option<Node> {
        self.exprs().next()
    }

    fn exprs(&self) -> impl Iterator<Item = Node> {
        self.children().filter(|child| ast::Expr::can_cast(child.kind()))
    }

    fn ty(&self) -> Option<Node> {
        self.children().find(|child| is_type(child.kind()))
    }

    fn need_ty(&self) -> Result<Node> {
        self.ty().ok_or_else(|| self.fail("expected a type here"))
    }

    fn need_expr(&self) -> Result<Node> {
        self.expr().ok_or_else(|| self.fail("expected an expression here"))
    }

    fn tokens(&self) -> impl Iterator<Item = Token> {
        self.children_with_tokens().filter_map(rowan::NodeOrToken::into_token).filter(|token| !token.kind().is_trivia())
    }

    fn range(&self) -> std::ops::Range<usize> {
        let mut own = self.descendants_with_tokens().filter_map(rowan::NodeOrToken::into_token);
        let whole = self.text_range();
        let Some(first) = own.find(|token| !token.kind().is_trivia()) else {
            return usize::from(whole.start())..usize::from(whole.end());
        };
        let mut last = self.last_token();
        while let Some(token) = &last {
            if !token.kind().is_trivia() {
                break;
            }
            last = token.prev_token();
        }
        let end = last.map_or(whole.end(), |token| token.text_range().end());
        usize::from(first.text_range().start())..usize::from(end)
    }

    fn fail(&self, message: impl Into<String>) -> SyntaxError {
        let range = self.range();
        SyntaxError { message: message.into(), offset: range.start, len: range.len() }
    }
}

pub(super) fn is_type(kind: K) -> bool {
    ast::Type::can_cast(kind) || kind == K::PERCENT_TYPE
}

pub(super) fn is_expr(kind: K) -> bool {
    ast::Expr::can_cast(kind)
}

/// SELECT, VALUES, TABLE and what they combine to.
pub(super) fn is_select(kind: K) -> bool {
    matches!(kind, K::SELECT | K::SELECT_INTO | K::VALUES | K::TABLE | K::PAREN_SELECT | K::COMPOUND_SELECT)
}

/// INSERT, UPDATE, DELETE, MERGE.
pub(super) fn is_dml(kind: K) -> bool {
    matches!(kind, K::INSERT | K::UPDATE | K::DELETE | K::MERGE)
}

/// A grammar rule's name in words, `TABLE_NAME_REF` → `table name ref`.
pub(super) fn spoken(kind: K) -> String {
    format!("{kind:?}").to_ascii_lowercase().replace('_', " ")
}
