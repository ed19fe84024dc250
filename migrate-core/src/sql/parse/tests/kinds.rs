//! Every kind of statement that the grammar has becomes one of ours, or an error that says why not.

use super::super::parse;
use super::super::tree::spoken;
use squawk_syntax::SourceFile;
use std::collections::BTreeSet;

/// The alternatives of the rule `Stmt` in the grammar of squawk-syntax 2.68 (`postgresql.ungram`).
const GRAMMAR: &str = "\
    AlterAggregate AlterCollation AlterConversion AlterDatabase AlterDefaultPrivileges AlterDomain AlterEventTrigger \
    AlterExtension AlterForeignDataWrapper AlterForeignTable AlterFunction AlterGroup AlterIndex AlterLanguage \
    AlterLargeObject AlterMaterializedView AlterOperator AlterOperatorClass AlterOperatorFamily AlterPropertyGraph \
    AlterPolicy AlterProcedure AlterPublication AlterRole AlterRoutine AlterRule AlterSchema AlterSequence \
    AlterServer AlterStatistics AlterSubscription AlterSystem AlterTable AlterTablespace \
    AlterTextSearchConfiguration AlterTextSearchDictionary AlterTextSearchParser AlterTextSearchTemplate \
    AlterTrigger AlterType AlterUser AlterUserMapping AlterView Analyze Begin Call Checkpoint Close Cluster \
    CommentOn Commit Copy CreateAccessMethod CreateAggregate CreateCast CreateCollation CreateConversion \
    CreateDatabase CreateDomain CreateEventTrigger CreateExtension CreateForeignDataWrapper CreateForeignTable \
    CreateFunction CreateGroup CreateIndex CreateLanguage CreateMaterializedView CreateOperator CreateOperatorClass \
    CreateOperatorFamily CreatePropertyGraph CreatePolicy CreateProcedure CreatePublication CreateRole CreateRule \
    CreateSchema CreateSequence CreateServer CreateStatistics CreateSubscription CreateTable CreateTableAs \
    CreateTablespace CreateTextSearchConfiguration CreateTextSearchDictionary CreateTextSearchParser \
    CreateTextSearchTemplate CreateTransform CreateTrigger CreateType CreateUser CreateUserMapping CreateView \
    Deallocate Declare Delete Discard Do DropAccessMethod DropAggregate DropCast DropCollation DropConversion \
    DropDatabase DropDomain DropEventTrigger DropExtension DropForeignDataWrapper DropForeignTable DropFunction \
    DropGroup DropIndex DropLanguage DropMaterializedView DropOperator DropOperatorClass DropOperatorFamily \
    DropOwned DropPropertyGraph DropPolicy DropProcedure DropPublication DropRole DropRoutine DropRule DropSchema \
    DropSequence DropServer DropStatistics DropSubscription DropTable DropTablespace DropTextSearchConfig \
    DropTextSearchDict DropTextSearchParser DropTextSearchTemplate DropTransform DropTrigger DropType DropUser \
    DropUserMapping DropView Execute Explain Fetch Grant ImportForeignSchema Insert Listen Load Lock Merge Move \
    Notify Prepare PrepareTransaction Repack Reassign Refresh Reindex ReleaseSavepoint Reset Revoke Rollback \
    SavepointCreate SecurityLabel Select SelectInto Set SetConstraints SetRole SetSessionAuth ResetRole \
    ResetSessionAuth SetTransaction Show Table Truncate Unlisten Update Vacuum Values CompoundSelect ParenSelect \
    EmptyStmt";

/// Statements of each kind: the grammar's name, our variant (or `!` and the error), the SQL.
const SAMPLES: &str = include_str!("kinds.txt");

#[test]
fn every_statement_of_the_grammar() {
    let mut missing: BTreeSet<_> = GRAMMAR.split_whitespace().filter(|name| *name != "EmptyStmt").collect();
    for sample in SAMPLES.lines() {
        let mut fields = sample.splitn(3, '|');
        let (Some(name), Some(ours), Some(sql)) = (fields.next(), fields.next(), fields.next()) else {
            panic!("not a sample: {sample}");
        };
        missing.remove(name);
        let node = SourceFile::parse(sql).syntax_node().children().next().expect("a statement");
        let kind = spoken(node.kind()).replace(' ', "");
        assert!(kind.starts_with(&name.to_ascii_lowercase()), "{name}: the grammar calls this {kind}: {sql}");
        match (ours.strip_prefix('!'), parse(sql)) {
            (Some(why), Err(error)) => assert!(error.message.contains(why), "{sql}: {error}"),
            (None, Ok(statements)) => {
                assert_eq!(statements.len(), 1, "{sql}");
                let shown = format!("{:?}", statements[0].stmt);
                let variant = shown.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
                assert_eq!(variant, ours, "{sql}");
                assert_eq!(statements[0].text, sql);
                assert_eq!(statements[0].span, 0..sql.len());
            }
            (_, result) => panic!("{sql}: {result:?}"),
        }
    }
    assert!(missing.is_empty(), "no sample of {missing:?}");
}

#[test]
fn nothing_is_no_statement() {
    for empty in ["", ";", " ;; -- comment\n;", "/* nothing */"] {
        assert_eq!(parse(empty), Ok(Vec::new()), "{empty:?}");
    }
}
