//! The walk through a history: each migration up, down and up again, on rows, with a look at everything in between.

use super::exempt::Exempt;
use super::judge::{Findings, Judge, Picture};
use super::proof::{Outcome, Proof, ProofLine};
use super::rows::Shape;
use super::stage::Stage;
use super::{Pairs, volatile};
use crate::error::{Error, Result};
use crate::testing::Server;
use migrate_core::model::{Down, Meta, Version};
use std::collections::BTreeSet;
use std::time::Instant;

pub(super) async fn prove(pairs: &Pairs, server: &Server) -> Result<Proof> {
    let begun = Instant::now();
    let stage = Stage::new(pairs, server).await?;
    let mut walk = Walk { pairs, server, stage, picture: None, foresight: None, empty: BTreeSet::new() };
    let metas = walk.stage.metas();
    let mut proof = Proof {
        server: server.major(),
        before: unknown_versions(pairs, &metas),
        lines: Vec::new(),
        elapsed: begun.elapsed(),
    };
    let mut before = Findings::default();
    if !metas.is_empty() {
        walk.fill(Version::new(0), &mut before).await;
    }
    proof.before.append(&mut before.failures);
    let mut reached = true;
    for (index, &meta) in metas.iter().enumerate() {
        if !reached {
            proof.lines.push(line(meta, Outcome::NotReached, None, Findings::default()));
            continue;
        }
        let (mut line, next) = walk.one(&metas[..=index]).await;
        if next == Next::Anew {
            reached = walk.anew(&metas[..=index], &mut line).await;
        }
        reached &= next != Next::Stuck;
        // What the last one made is in nobody's way.
        if reached && index + 1 < metas.len() {
            let mut findings = Findings::default();
            walk.fill(meta.version(), &mut findings).await;
            line.notes.append(&mut findings.notes);
            line.failures.append(&mut findings.failures);
        }
        if !line.failures.is_empty() {
            line.outcome = Outcome::Fails;
        }
        proof.lines.push(line);
    }
    walk.stage.end().await;
    proof.elapsed = begun.elapsed();
    Ok(proof)
}

/// Seeds for what the history has not.
fn unknown_versions(pairs: &Pairs, metas: &[&'static Meta]) -> Vec<String> {
    let known = |version: Version| version.get() == 0 || metas.iter().any(|meta| meta.version() == version);
    let unknown = pairs.seeds.iter().map(|seed| seed.version).filter(|&version| !known(version));
    unknown
        .map(|version| format!("there is a seed for version {version}, and the history has no such migration"))
        .collect()
}

/// How the walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// From here.
    On,
    /// On a fresh database, since this one is not as it should be.
    Anew,
    /// With rows that are made for what it demands.
    Foreseeing,
    /// Not at all.
    Stuck,
}

/// How the failure of an up begins.
const UP_FAILS: &str = "the up fails: ";

/// Whether rows are what it failed on, in a statement or in a backfill.
fn of_rows(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(code) = error.downcast_ref::<tokio_postgres::Error>().and_then(tokio_postgres::Error::code) {
            return super::is_of_rows(code.code());
        }
        cause = error.source();
    }
    false
}

struct Walk<'p> {
    pairs: &'p Pairs,
    server: &'p Server,
    stage: Stage<'p>,
    /// Where it stands, if nothing was written since.
    picture: Option<Picture>,
    /// The last migration that failed on rows that were made in ignorance of it: rows are made right before it.
    foresight: Option<usize>,
    /// Tables that were said to have no rows.
    empty: BTreeSet<String>,
}

fn line(meta: &'static Meta, outcome: Outcome, picture: Option<&Picture>, findings: Findings) -> ProofLine {
    let tables: Vec<u64> =
        picture.into_iter().flat_map(|picture| picture.data.tables()).map(|(_, table)| table.rows()).collect();
    ProofLine {
        version: meta.version(),
        name: meta.name(),
        outcome,
        rows: tables.iter().sum(),
        tables: tables.len(),
        failures: findings.failures,
        notes: findings.notes,
    }
}

impl Walk<'_> {
    /// The last of these.
    async fn one(&mut self, metas: &[&'static Meta]) -> (ProofLine, Next) {
        let meta = metas[metas.len() - 1];
        let mut findings = Findings::default();
        if self.pairs.from.is_some_and(|from| meta.version() < from) {
            self.picture = None;
            return match self.stage.up(meta).await {
                Ok(_) => (line(meta, Outcome::Applied, None, findings), Next::On),
                Err(error) => {
                    findings.fail(format!("the up fails: {error}"));
                    (line(meta, Outcome::Fails, None, findings), Next::Stuck)
                }
            };
        }
        let mut before = None;
        let mut tried = self.pair(meta, &mut before, &mut findings).await;
        if tried == Ok(Next::Foreseeing) {
            tried = match self.foresee(metas, &mut findings).await {
                Ok(()) => self.pair(meta, &mut before, &mut findings).await,
                Err(why) => Err(why),
            };
        }
        let next = match tried {
            // The rows that were made with this in mind do not do, either.
            Ok(Next::Foreseeing) => {
                findings.fail(
                    "rows that it can run on are wanted: `seed(VERSION) = \"seed.sql\";` in `migrations!`, with the version of a \
                     migration before it",
                );
                Next::Stuck
            }
            Ok(next) => {
                if self.foresight == Some(metas.len() - 1) && next != Next::Stuck {
                    // What it failed with the first time was none of its own.
                    findings.failures.retain(|failure| !failure.starts_with(UP_FAILS));
                }
                next
            }
            Err(why) => {
                findings.fail(why);
                Next::Anew
            }
        };
        let irreversible = meta.steps().iter().any(|step| matches!(step.down(), Down::Irreversible(_)));
        let outcome = if irreversible { Outcome::Irreversible } else { Outcome::Reverses };
        (line(meta, outcome, before.as_ref(), findings), next)
    }

    async fn pair(
        &mut self,
        meta: &'static Meta,
        seen: &mut Option<Picture>,
        findings: &mut Findings,
    ) -> Result<Next, String> {
        let exempt = Exempt::of(self.stage.runner(), meta).await?;
        let without: Vec<(&str, &str)> = exempt.columns().collect();
        let before = match self.picture.take() {
            Some(picture) if without.is_empty() => picture,
            _ => self.stage.look(&without).await?,
        };
        *seen = Some(before.clone());
        if let Err(error) = self.stage.up(meta).await {
            findings.fail(format!("{UP_FAILS}{error}"));
            return Ok(if of_rows(&error) { Next::Foreseeing } else { Next::Stuck });
        }
        for (step, why) in &exempt.irreversible {
            findings.note(format!("step {step} cannot be taken back: {why}"));
        }
        let nothing_to_do = meta.steps().iter().all(|step| !matches!(step.down(), Down::Sql(_) | Down::Keep(_)));
        if nothing_to_do && !exempt.irreversible.is_empty() {
            return Ok(Next::On);
        }
        let up = self.stage.look(&[]).await?;
        if let Err(error) = self.stage.down(meta).await {
            findings.fail(format!("the down fails: {error}"));
            return Ok(Next::Anew);
        }
        let down = self.stage.look(&without).await?;
        let sql = volatile::text(meta);
        let judge = Judge { client: &self.stage.client, exempt: &exempt, sql: &sql, writes: volatile::writes(meta) };
        judge.back(&before, &down, findings).await?;
        if !exempt.irreversible.is_empty() {
            // Applied once more, what was not taken back would be there already.
            return Ok(Next::Anew);
        }
        if let Err(error) = self.stage.up(meta).await {
            findings.fail(format!("the up fails after the down: {error}"));
            return Ok(Next::Anew);
        }
        let again = self.stage.look(&[]).await?;
        judge.again(&up, &again, findings).await?;
        if !findings.failures.is_empty() {
            return Ok(Next::Anew);
        }
        self.picture = Some(again);
        Ok(Next::On)
    }

    /// The same history up to here on a fresh database, so that one failure does not bring others with it.
    async fn anew(&mut self, metas: &[&'static Meta], line: &mut ProofLine) -> bool {
        match self.build(metas, true).await {
            Ok(()) => true,
            Err(why) => {
                line.failures.push(format!("the proof could not go on: {why}"));
                false
            }
        }
    }

    /// A fresh database right before the last of these, with rows that are made for what it demands of them.
    async fn foresee(&mut self, metas: &[&'static Meta], findings: &mut Findings) -> Result<(), String> {
        let last = metas.len() - 1;
        self.foresight = Some(last);
        self.build(&metas[..last], false).await?;
        let later = self.stage.foresee(metas[last]).await?;
        self.make(Some(&later), Version::new(0), findings).await;
        findings.note("rows were made with what it demands of them in mind");
        Ok(())
    }

    /// Begins again: these migrations on a fresh database. What cannot be filled was said the first time.
    async fn build(&mut self, metas: &[&'static Meta], rows: bool) -> Result<(), String> {
        self.picture = None;
        let stage = Stage::new(self.pairs, self.server).await.map_err(|error| error.to_string())?;
        std::mem::replace(&mut self.stage, stage).end().await;
        let mut said = Findings::default();
        let early = |foresight: Option<usize>, index: usize| foresight.is_some_and(|foresight| index <= foresight);
        self.stage.seed(Version::new(0)).await?;
        if rows && self.foresight.is_none() {
            self.make(None, Version::new(0), &mut said).await;
        }
        for (index, &meta) in metas.iter().enumerate() {
            if rows && self.foresight == Some(index) {
                let later = self.stage.foresee(meta).await?;
                self.make(Some(&later), meta.version(), &mut said).await;
            }
            let failed = |error| format!("on a fresh database the up of {} fails: {error}", meta.name());
            self.stage.up(meta).await.map_err(failed)?;
            // After the last one the walk goes on by itself.
            if index + 1 < metas.len() || !rows {
                self.stage.seed(meta.version()).await?;
                if rows && !early(self.foresight, index + 1) {
                    self.make(None, meta.version(), &mut said).await;
                }
            }
        }
        Ok(())
    }

    async fn fill(&mut self, version: Version, findings: &mut Findings) {
        match self.stage.seed(version).await {
            Ok(false) => {}
            Ok(true) => self.picture = None,
            Err(why) => findings.fail(why),
        }
        self.make(None, version, findings).await;
    }

    async fn make(&mut self, later: Option<&Shape>, version: Version, findings: &mut Findings) {
        match self.stage.fill(later).await {
            Ok(made) => {
                if !made.rows.is_empty() {
                    self.picture = None;
                }
                made.notes.into_iter().for_each(|note| findings.note(note));
                for empty in made.empty {
                    if !self.empty.insert(empty.table.clone()) {
                        continue;
                    }
                    findings.fail(format!(
                        "no rows could be made for {}: {}\nwithout rows nothing is proved of it: write some, by `seed({version}) = \"seed.sql\";` \
                         in `migrations!`, or by a function",
                        empty.table, empty.why
                    ));
                }
            }
            Err(why) => findings.fail(why),
        }
    }
}
