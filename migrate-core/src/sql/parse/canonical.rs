//! One text for every spelling of the same SQL: no comments, single spaces, keywords in lower case, identifiers quoted
//! only as needed, types by their catalog names, strings in plain quotes, `<>` for `!=`.

use super::super::name::quoted;
use super::names;
use super::tree::{K, Node, Token, Tree, is_select, is_type};
use super::types;
use squawk_syntax::SyntaxElement;
use squawk_syntax::ast::{self, AstNode};

/// The node's canonical text.
pub(super) fn text(node: &Node) -> String {
    let mut writer = Writer::default();
    writer.node(node);
    if writer.out.ends_with(';') {
        writer.out.pop();
    }
    writer.out
}

/// Canonical text of the nodes, joined by spaces.
pub(super) fn texts<'n>(nodes: impl IntoIterator<Item = &'n Node>) -> String {
    let mut writer = Writer::default();
    for node in nodes {
        writer.node(node);
    }
    writer.out
}

/// Canonical text of what stands in the node after the child, joined by spaces.
pub(super) fn after(node: &Node, child: &Node) -> String {
    let mut writer = Writer::default();
    for element in node.children_with_tokens().skip_while(|element| element.as_node() != Some(child)).skip(1) {
        writer.element(&element);
    }
    writer.out
}

/// Canonical text of an expression, without redundant parentheses around all of it.
pub(super) fn expression(node: &Node) -> String {
    text(&unwrapped(node))
}

/// The expression inside parentheses that enclose all of it.
pub(super) fn unwrapped(node: &Node) -> Node {
    let mut node = node.clone();
    while node.kind() == K::PAREN_EXPR
        && let Some(inner) = node.expr()
    {
        node = inner;
    }
    node
}

/// The value of a string literal; `None` for other literals.
pub(super) fn string_value(literal: &Node) -> Option<String> {
    let first = literal.tokens().next()?.kind();
    let string = matches!(
        first,
        K::STRING | K::ESC_STRING | K::UNICODE_ESC_STRING | K::DOLLAR_QUOTED_STRING | K::NATIONAL_STRING
    );
    if string { ast::Literal::cast(literal.clone())?.string_value() } else { None }
}

/// A string as a plain literal.
pub(super) fn string(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[derive(Default)]
struct Writer {
    out: String,
    /// The next piece follows without a space.
    tight: bool,
    /// It follows without a space unless it begins with an operator (`- -1` must not become a comment).
    sign: bool,
}

impl Writer {
    fn piece(&mut self, piece: &str) {
        if piece.is_empty() {
            return;
        }
        let operator =
            piece.starts_with(['-', '+', '*', '/', '<', '>', '=', '~', '!', '@', '#', '%', '^', '&', '|', '`', '?']);
        let unary = self.sign && !operator;
        if !(self.out.is_empty() || self.tight || unary) {
            self.out.push(' ');
        }
        self.out.push_str(piece);
        self.tight = false;
        self.sign = false;
    }

    /// A piece that follows what stands before without a space.
    fn close(&mut self, piece: &str) {
        self.out.push_str(piece);
        self.tight = false;
        self.sign = false;
    }

    fn open(&mut self, piece: &str) {
        self.piece(piece);
        self.tight = true;
    }

    fn element(&mut self, element: &SyntaxElement) {
        match element {
            SyntaxElement::Node(node) => self.node(node),
            SyntaxElement::Token(token) => self.token(token),
        }
    }

    fn node(&mut self, node: &Node) {
        match node.kind() {
            K::LITERAL => self.literal(node),
            kind if is_type(kind) => match types::type_name(node) {
                Ok(ty) => self.piece(&types::sql(&ty)),
                Err(_) => self.children(node),
            },
            K::CUSTOM_OP => {
                let operator: String = node.tokens().map(|token| token.text().to_owned()).collect();
                self.piece(if operator == "!=" { "<>" } else { &operator });
            }
            K::COLON_COLON => {
                self.close("::");
                self.tight = true;
            }
            K::COLUMN_NAME
            | K::COLUMN_NAME_REF
            | K::TABLE_ALIAS
            | K::PATH_SEGMENT
            | K::PATH_SEGMENT_REF
            | K::CTE_NAME => {
                if node.tokens().next().is_some() {
                    self.piece(&quoted(&names::ident(node)));
                }
            }
            _ if node.tokens().next().is_some_and(|token| ident_needs_decoding(&token)) => {
                self.piece(&quoted(&names::ident(node)));
            }
            // `AS` is what PostgreSQL prints, wherever it may be left out.
            K::AS_NAME | K::FROM_ALIAS | K::OPTIONAL_AS_ALIAS if !node.has(K::AS_KW) => {
                self.piece("as");
                self.children(node);
            }
            K::PAREN_EXPR if redundant(node) => {
                for inner in node.children() {
                    self.node(&inner);
                }
            }
            K::CAST_EXPR if node.has(K::CAST_KW) => self.cast(node),
            _ => self.children(node),
        }
    }

    fn children(&mut self, node: &Node) {
        for element in node.children_with_tokens() {
            self.element(&element);
        }
    }

    /// `cast(x as t)` as `x::t`, which is what PostgreSQL makes of it where a dump is written.
    fn cast(&mut self, node: &Node) {
        let (Some(inner), Some(to)) = (node.expr(), node.ty()) else { return self.children(node) };
        let inner = unwrapped(&inner);
        if strength(&inner) == Some(ATOM) {
            self.node(&inner);
        } else {
            self.open("(");
            self.node(&inner);
            self.close(")");
        }
        self.close("::");
        self.tight = true;
        self.node(&to);
    }

    fn literal(&mut self, node: &Node) {
        match string_value(node) {
            Some(value) => self.piece(&string(&value)),
            None => {
                for token in node.tokens() {
                    self.piece(&token.text().to_ascii_lowercase());
                }
            }
        }
    }

    fn token(&mut self, token: &Token) {
        let kind = token.kind();
        if kind.is_trivia() {
            return;
        }
        let parent = token.parent().map(|node| node.kind());
        match kind {
            K::L_PAREN if parent.is_some_and(call) => {
                self.close("(");
                self.tight = true;
            }
            K::L_PAREN => self.open("("),
            K::L_BRACK
                if matches!(
                    parent,
                    Some(K::INDEX_EXPR | K::SLICE_EXPR | K::ARRAY_EXPR | K::INDEX_ACCESSOR | K::SLICE_ACCESSOR)
                ) =>
            {
                self.close("[");
                self.tight = true;
            }
            K::L_BRACK => self.open("["),
            K::R_PAREN => self.close(")"),
            K::R_BRACK => self.close("]"),
            K::COMMA => self.close(","),
            K::SEMICOLON => {
                if token.parent().and_then(|node| node.parent()).is_some_and(|above| above.kind() != K::SOURCE_FILE) {
                    self.close(";");
                }
            }
            K::DOT => {
                self.close(".");
                self.tight = true;
            }
            K::COLON if matches!(parent, Some(K::SLICE_EXPR | K::SLICE_ACCESSOR)) => {
                self.close(":");
                self.tight = true;
            }
            K::MINUS | K::PLUS if parent == Some(K::PREFIX_EXPR) => {
                self.piece(token.text());
                self.sign = true;
            }
            K::ISNULL_KW => self.piece("is null"),
            K::NOTNULL_KW => self.piece("is not null"),
            K::IDENT => self.piece(&quoted(&names::truncated(identifier(token.text())))),
            K::STRING => self.piece(token.text()),
            _ if token.text() == "!=" => self.piece("<>"),
            _ => self.piece(&token.text().to_ascii_lowercase()),
        }
    }
}

/// How strongly what stands in parentheses binds, by the table of the manual's section 4.1.6 from the weakest; `None` for
/// what is not told apart here.
fn strength(node: &Node) -> Option<u8> {
    Some(match node.kind() {
        K::LITERAL | K::NAME_REF | K::CALL_EXPR | K::PAREN_EXPR => ATOM,
        K::BIN_EXPR if node.has(K::OR_KW) => 1,
        K::BIN_EXPR if node.has(K::AND_KW) => 2,
        K::PREFIX_EXPR if node.has(K::NOT_KW) => 3,
        K::BIN_EXPR if [K::IS_KW, K::IS_NOT].into_iter().any(|word| node.has(word)) => 4,
        K::POSTFIX_EXPR if [K::ISNULL_KW, K::NOTNULL_KW].into_iter().any(|word| node.has(word)) => 4,
        K::BIN_EXPR
            if [K::EQ, K::NEQ, K::NEQB, K::L_ANGLE, K::R_ANGLE, K::LTEQ, K::GTEQ]
                .into_iter()
                .any(|operator| node.has(operator)) =>
        {
            5
        }
        K::CAST_EXPR => 15,
        K::BIN_EXPR if node.has(K::PLUS) || node.has(K::MINUS) => 8,
        K::BIN_EXPR if [K::STAR, K::SLASH, K::PERCENT].into_iter().any(|operator| node.has(operator)) => 9,
        _ => return None,
    })
}

/// Binds more strongly than every operator.
const ATOM: u8 = u8::MAX;

/// Parentheses that the expression around them would not miss: the tree is the same without them.
fn redundant(node: &Node) -> bool {
    let Some(inner) = node.expr().filter(|_| node.children().count() == 1) else { return false };
    // Of several around one expression the innermost may stay.
    if inner.kind() == K::PAREN_EXPR {
        return true;
    }
    let mut outermost = node.clone();
    while let Some(above) = outermost.parent().filter(|above| above.kind() == K::PAREN_EXPR) {
        outermost = above;
    }
    let Some(above) = outermost.parent() else { return false };
    let beside = |element: Option<SyntaxElement>, kind| element.is_some_and(|element| element.kind() == kind);
    let enclosed =
        beside(outermost.prev_sibling_or_token(), K::L_PAREN) && beside(outermost.next_sibling_or_token(), K::R_PAREN);
    if enclosed || matches!(above.kind(), K::ARG | K::WHERE_CLAUSE | K::ON_CLAUSE) {
        return true;
    }
    let (Some(inner), Some(outer)) = (strength(&inner), strength(&above)) else { return false };
    // The list of AND is one, and so is OR's, where the parentheses stand on its left (`makeAndExpr` in `gram.y`).
    let list = inner == outer && outer <= 2 && above.exprs().next().as_ref() == Some(&outermost);
    outer != ATOM && (inner > outer || list)
}

/// Rules whose parenthesis follows a function's name.
fn call(parent: K) -> bool {
    matches!(parent, K::ARG_LIST | K::PARAM_LIST | K::CAST_EXPR | K::OPERATOR_CALL | K::ARRAY_EXPR)
        || format!("{parent:?}").ends_with("_FN")
}

fn ident_needs_decoding(token: &Token) -> bool {
    token.kind() == K::IDENT && token.text().len() > 2 && token.text().as_bytes()[..2].eq_ignore_ascii_case(b"u&")
}

fn identifier(text: &str) -> String {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => text.to_ascii_lowercase(),
    }
}

/// Canonical text of the query that stands in the node, `AS SELECT …`.
pub(super) fn query_in(node: &Node) -> Option<Node> {
    node.children().find(|child| is_select(child.kind()))
}
